//! The config file: TOML with a line for every value, and the one setting potluck writes itself.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    ConfigError, Settings, document, games_list, libraries,
    nearest::nearest,
    table::{ROWS, Raw},
};

/// The commented template has 4 KiB; nobody writes 64 times that by hand.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// The values of `path` with row and line; none when there is no such file.
pub(super) fn read(path: &Path) -> Result<Vec<(usize, Raw, usize)>, ConfigError> {
    let text = match games_list::read_text(path, FILE_BYTES_MAX) {
        Ok(text) => text,
        Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let table = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(&text, error.span().map_or(0, |span| span.start)),
        message: crate::types::clean(error.message(), usize::MAX),
    })?;
    let mut values = Vec::new();
    collect(&Reader { path, text: &text }, table.get_ref(), "", &mut values)?;
    Ok(values)
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

/// Walks a table; `prefix` is its own name with a dot.
fn collect(
    reader: &Reader<'_>,
    table: &DeTable<'_>,
    prefix: &str,
    values: &mut Vec<(usize, Raw, usize)>,
) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        let line = line_of(reader.text, name.span().start);
        let row = ROWS.iter().position(|row| row.key == key);
        let is_section = ROWS.iter().any(|row| row.key.strip_prefix(&*key).is_some_and(|rest| rest.starts_with('.')));
        match (row, value.get_ref()) {
            (Some(row), inner) => {
                check_tables(reader, &key, inner)?;
                let raw = raw(value).map_err(|found| ConfigError::Value {
                    origin: super::Origin::File { path: reader.path.to_owned(), line },
                    key: ROWS[row].key,
                    value: format!("a TOML {found}"),
                    why: format!("write {}, like `{}`", ROWS[row].kind, ROWS[row].example),
                })?;
                values.push((row, raw, line));
            }
            (None, DeValue::Table(inner)) if is_section => collect(reader, inner, &format!("{key}."), values)?,
            (None, _) => {
                let nearest = nearest(&key, ROWS.iter().map(|row| row.key));
                let key = crate::types::clean(&key, 80);
                return Err(ConfigError::UnknownKey { path: reader.path.to_owned(), line, key, nearest });
            }
        }
    }
    Ok(())
}

/// The keys of the tables of an array, where one is allowed to have such.
fn check_tables(reader: &Reader<'_>, key: &str, value: &DeValue<'_>) -> Result<(), ConfigError> {
    let DeValue::Array(items) = value else { return Ok(()) };
    for (name, _) in items.iter().filter_map(|item| item.get_ref().as_table()).flatten() {
        let key = format!("{key}.{}", name.get_ref());
        if !libraries::KEYS.contains(&key.as_str()) {
            let (path, line) = (reader.path.to_owned(), line_of(reader.text, name.span().start));
            let nearest = nearest(&key, libraries::KEYS);
            return Err(ConfigError::UnknownKey { path, line, key: crate::types::clean(&key, 80), nearest });
        }
    }
    Ok(())
}

/// A value without its TOML; the error is the name of a type no setting has.
fn raw(value: &Spanned<DeValue<'_>>) -> Result<Raw, &'static str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Raw::Text(text.clone().into_owned())),
        DeValue::Boolean(yes) => Ok(Raw::Bool(*yes)),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map(Raw::Number).map_err(|_| "integer of that size")
        }
        DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
            let table = |item: &Spanned<DeValue<'_>>| {
                item.get_ref().as_table().map_or(Err("array of tables and something else"), raw_table)
            };
            items.iter().map(table).collect::<Result<_, _>>().map(Raw::Tables)
        }
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<Vec<String>>>().map(Raw::List).ok_or("array of something else than strings")
        }
        other @ (DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_)) => Err(other.type_str()),
    }
}

fn raw_table(table: &DeTable<'_>) -> Result<Vec<(String, Raw)>, &'static str> {
    table.iter().map(|(name, value)| Ok((name.get_ref().to_string(), raw(value)?))).collect()
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Writes the library folder the user chose into the config file, so that it is asked only once.
/// Makes the file from the template where there is none; what stands in it stays as it is.
pub fn remember_library(settings: &Settings, library: &Path) -> Result<(), ConfigError> {
    let path = settings.places.config_file();
    let failed = |source| ConfigError::Write { path: path.clone(), source };
    let text = library.to_str().ok_or_else(|| ConfigError::NotText { path: library.to_owned() })?;
    let line = format!("library = {}\n", toml::Value::from(text));
    let before = match fs::read_to_string(&path) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => document::template(),
        Err(source) => return Err(ConfigError::Read { path, source }),
    };
    fs::create_dir_all(&settings.places.config).map_err(failed)?;
    // A first line is at the top level, whatever tables follow.
    let temporary = path.with_extension("toml.new");
    let mut file = fs::File::create(&temporary).map_err(failed)?;
    file.write_all(format!("{line}{before}").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, &path).map_err(failed)
}
