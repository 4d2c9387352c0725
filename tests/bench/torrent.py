#!/usr/bin/python3
"""A BitTorrent seat made of libtorrent, for the benchmarks.

    torrent.py TORRENT FOLDER IP PORT [--seed] [--exit] [--wait] [PEER:PORT ...]

Seeds what lies in FOLDER, or gets it from the peers. Says `ready`, and `done` when all is there; with --wait it begins
when a line comes on its standard input, with --exit it ends when it is done. TCP only, without tracker, DHT, local
discovery and port mapping: the peers are named.
"""

import sys
import time

import libtorrent as lt

# A port of a lab has one address, and loopback has one for all of them.
SETTINGS = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "allow_multiple_connections_per_ip": True,
    "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification,
    # Pieces are asked for as fast as they come.
    "request_queue_time": 1,
    "max_out_request_queue": 2000,
    "send_buffer_watermark": 4 << 20,
}


def say(word):
    print(word, flush=True)


def main():
    flags = {word for word in sys.argv[1:] if word.startswith("--")}
    torrent, folder, ip, port, *peers = [word for word in sys.argv[1:] if not word.startswith("--")]
    session = lt.session(SETTINGS | {"listen_interfaces": f"{ip}:{port}"})
    wish = lt.add_torrent_params()
    wish.ti = lt.torrent_info(torrent)
    wish.save_path = folder
    wish.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    if "--seed" in flags:
        wish.flags |= lt.torrent_flags.seed_mode
    if "--wait" in flags:
        say("ready")
        sys.stdin.readline()
    handle = session.add_torrent(wish)
    for peer in peers:
        host, peer_port = peer.rsplit(":", 1)
        handle.connect_peer((host, int(peer_port)))
    if "--wait" not in flags:
        say("ready")
    done = False
    while True:
        session.wait_for_alert(200)
        for alert in session.pop_alerts():
            if isinstance(alert, lt.torrent_finished_alert) and not done:
                done = True
                say("done")
        if done and "--exit" in flags:
            # What it has is in the page cache, as with every other tool.
            return
        time.sleep(0.002)


if __name__ == "__main__":
    main()
