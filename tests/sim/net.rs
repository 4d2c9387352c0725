//! A fluid model of the network: directed links of so many bytes a second, and flows over them that share
//! each link max-min fairly. Driven by [`super::party`], which says what starts and ends and asks when the
//! next flow is through. Only what a change touches is worked out anew, to within [`TOLERANCE`].

use std::collections::VecDeque;

/// Virtual nanoseconds.
pub(crate) type Nanos = u64;

/// Shares that changed by less are left as they are: what a change does fades as it spreads.
const TOLERANCE: f64 = 0.02;
/// Links worked out anew in one go; the others follow at the next.
const UPDATES_MAX: usize = 64;

/// A directed link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkNo(pub(crate) u32);

/// A flow, as long as it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowNo(pub(crate) u32);

/// When a flow will be through, if nothing changes: `version` tells whether something did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) flow: FlowNo,
    pub(crate) version: u32,
    pub(crate) at: Nanos,
}

#[derive(Debug)]
struct Link {
    bps: f64,
    /// What a flow may have that nothing else holds back.
    level: f64,
    flows: Vec<FlowNo>,
    dirty: bool,
    /// Bytes it carried.
    carried: f64,
}

#[derive(Debug)]
struct Flow {
    path: Vec<LinkNo>,
    left: f64,
    rate: f64,
    since: Nanos,
    version: u32,
}

/// The links and what flows over them.
#[derive(Debug, Default)]
pub(crate) struct Net {
    links: Vec<Link>,
    flows: Vec<Flow>,
    free: Vec<FlowNo>,
    dirty: VecDeque<LinkNo>,
    touched: Vec<FlowNo>,
    limits: Vec<f64>,
}

impl Net {
    pub(crate) fn add_link(&mut self, bps: f64) -> LinkNo {
        self.links.push(Link { bps, level: f64::INFINITY, flows: Vec::new(), dirty: false, carried: 0.0 });
        LinkNo(self.links.len() as u32 - 1)
    }

    /// Bytes that went over a link by now, as far as their flows were looked at.
    pub(crate) fn carried(&self, link: LinkNo) -> f64 {
        self.links[link.0 as usize].carried
    }

    pub(crate) fn start(&mut self, path: Vec<LinkNo>, bytes: f64, now: Nanos) -> FlowNo {
        let no = self.free.pop().unwrap_or_else(|| {
            self.flows.push(Flow { path: Vec::new(), left: 0.0, rate: 0.0, since: 0, version: 0 });
            FlowNo(self.flows.len() as u32 - 1)
        });
        for link in &path {
            self.links[link.0 as usize].flows.push(no);
            self.mark(*link);
        }
        let flow = &mut self.flows[no.0 as usize];
        let version = flow.version + 1;
        *flow = Flow { path, left: bytes, rate: 0.0, since: now, version };
        self.touched.push(no);
        no
    }

    /// More bytes for a flow that is through: it goes on at its rate.
    pub(crate) fn go_on(&mut self, no: FlowNo, bytes: f64, now: Nanos) -> Due {
        self.advance(no, now);
        let flow = &mut self.flows[no.0 as usize];
        flow.left = bytes;
        flow.version += 1;
        flow.due(no)
    }

    pub(crate) fn stop(&mut self, no: FlowNo, now: Nanos) {
        self.advance(no, now);
        let flow = &mut self.flows[no.0 as usize];
        flow.version += 1;
        for link in std::mem::take(&mut flow.path) {
            self.links[link.0 as usize].flows.retain(|other| *other != no);
            self.mark(link);
        }
        self.free.push(no);
    }

    pub(crate) fn version(&self, no: FlowNo) -> u32 {
        self.flows[no.0 as usize].version
    }

    /// Bytes of a flow that have not left yet.
    pub(crate) fn left(&mut self, no: FlowNo, now: Nanos) -> f64 {
        self.advance(no, now);
        self.flows[no.0 as usize].left
    }

    /// Shares the links anew after changes; tells `due` of every flow whose end moved.
    pub(crate) fn settle(&mut self, now: Nanos, mut due: impl FnMut(Due)) {
        for _ in 0..UPDATES_MAX {
            let Some(link) = self.dirty.pop_front() else { break };
            self.links[link.0 as usize].dirty = false;
            self.share(link);
        }
        for no in std::mem::take(&mut self.touched) {
            let flow = &self.flows[no.0 as usize];
            if flow.path.is_empty() {
                continue;
            }
            let levels = flow.path.iter().map(|link| self.links[link.0 as usize].level);
            let rate = levels.fold(f64::INFINITY, f64::min).clamp(1.0, 1e12);
            if (rate - flow.rate).abs() > TOLERANCE / 2.0 * flow.rate {
                self.advance(no, now);
                let flow = &mut self.flows[no.0 as usize];
                flow.rate = rate;
                flow.version += 1;
                due(flow.due(no));
            }
        }
    }

    /// Whether shares are still to be worked out.
    pub(crate) fn is_settled(&self) -> bool {
        self.dirty.is_empty() && self.touched.is_empty()
    }

    fn mark(&mut self, link: LinkNo) {
        let known = &mut self.links[link.0 as usize];
        if !known.dirty {
            known.dirty = true;
            self.dirty.push_back(link);
        }
    }

    fn advance(&mut self, no: FlowNo, now: Nanos) {
        let flow = &mut self.flows[no.0 as usize];
        let sent = (flow.rate * (now - flow.since) as f64 / 1e9).min(flow.left);
        flow.left -= sent;
        flow.since = now;
        for link in &flow.path {
            self.links[link.0 as usize].carried += sent;
        }
    }

    /// Fills the link: flows held back elsewhere leave the rest to the others.
    fn share(&mut self, no: LinkNo) {
        let link = &self.links[no.0 as usize];
        let mut limits = std::mem::take(&mut self.limits);
        limits.clear();
        for flow in &link.flows {
            let others = self.flows[flow.0 as usize].path.iter().filter(|other| **other != no);
            limits.push(others.map(|other| self.links[other.0 as usize].level).fold(f64::INFINITY, f64::min));
        }
        limits.sort_unstable_by(f64::total_cmp);
        let (mut rest, mut users) = (link.bps, limits.len() as f64);
        let mut level = f64::INFINITY;
        for limit in &limits {
            let share = rest / users;
            if *limit >= share {
                level = share;
                break;
            }
            rest -= limit;
            users -= 1.0;
        }
        self.limits = limits;
        let before = self.links[no.0 as usize].level;
        let same = level == before || (level - before).abs() <= TOLERANCE * before;
        if same && before.is_finite() == level.is_finite() {
            return;
        }
        self.links[no.0 as usize].level = level;
        for index in 0..self.links[no.0 as usize].flows.len() {
            let flow = self.links[no.0 as usize].flows[index];
            self.touched.push(flow);
            for hop in 0..self.flows[flow.0 as usize].path.len() {
                let other = self.flows[flow.0 as usize].path[hop];
                if other != no {
                    self.mark(other);
                }
            }
        }
    }
}

impl Flow {
    fn due(&self, flow: FlowNo) -> Due {
        let seconds = self.left / self.rate;
        Due { flow, version: self.version, at: self.since.saturating_add((seconds * 1e9).ceil() as Nanos) }
    }
}
