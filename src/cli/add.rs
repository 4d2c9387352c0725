//! `add`: folders or archive files become games of the library.

use super::{Console, Exit, args, exit::Failure, get::busy, session::Session, words};
use crate::api::{Added, Command, Reply};

pub(super) async fn run(session: &Session, add: &args::Add, console: &mut Console) -> Result<Exit, Failure> {
    session.scanned().await;
    let mut all: Vec<Added> = Vec::new();
    for path in &add.paths {
        // The runtime may have another current folder.
        let absolute = std::path::absolute(path)
            .map_err(|error| Failure::new(Exit::Failed, format!("cannot find {}: {error}", path.display())))?;
        if absolute.to_str().is_none() {
            let message = format!("the path {} is not UTF-8; rename it first", path.display());
            return Err(Failure::new(Exit::Failed, message));
        }
        let command = Command::Add {
            path: absolute,
            id: add.id.clone(),
            version: add.version.clone(),
            title: add.title.clone(),
            take: add.take,
        };
        let reply = busy(session, command, console).await?;
        let Reply::Added(added) = reply else {
            super::orders::report(&reply, console)?;
            continue;
        };
        if !console.json {
            console.say(&sentence(&added))?;
        }
        all.push(added);
    }
    if console.json {
        match &*all {
            [one] => console.document(one)?,
            many => console.document(many)?,
        }
    }
    Ok(Exit::Done)
}

fn sentence(added: &Added) -> String {
    let Added { game, version, files, size, before, changed, .. } = added;
    let whole = format!("{}, {}", words::count(u64::from(*files), "file"), words::size(*size));
    match before {
        None => format!("Added {game} {version}: {whole}."),
        Some(_) if added.is_as_before() => format!("{game} {version} is here already, as it is there: {whole}."),
        Some(before) => {
            let [new, differ, gone] = changed;
            format!(
                "Added {game} {version} as a new build after {before}: {new} new, {differ} changed, {gone} gone; {whole}."
            )
        }
    }
}
