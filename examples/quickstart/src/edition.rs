//! One edition of the code lists, as stored in `examples/data/iso`.

use std::collections::HashMap;
use std::iter::successors;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::entity::{country, language, subdivision};

/// The editions, oldest first, by the name of their folder.
pub const EDITIONS: [&str; 3] = ["2018", "2024", "2026"];

pub struct Edition {
    pub name: &'static str,
    pub countries: Vec<country::Model>,
    pub subdivisions: Vec<subdivision::Model>,
    pub languages: Vec<language::Model>,
}

impl Edition {
    pub fn read(name: &'static str) -> Result<Self, csv::Error> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../data/iso")
            .join(name);
        let mut subdivisions: Vec<subdivision::Model> = rows(&folder.join("subdivisions.csv"))?;
        for subdivision in &mut subdivisions {
            let (country, _) = (subdivision.code.split_once('-')).unwrap_or_default();
            subdivision.country_code = country.to_owned();
        }
        Ok(Self {
            name,
            countries: rows(&folder.join("countries.csv"))?,
            subdivisions: wholes_first(subdivisions),
            languages: rows(&folder.join("languages.csv"))?,
        })
    }
}

/// An empty field becomes `None`, which is NULL.
fn rows<M: DeserializeOwned>(file: &Path) -> Result<Vec<M>, csv::Error> {
    csv::Reader::from_path(file)?.deserialize().collect()
}

/// Orders every subdivision after its parent: a foreign key refuses any other order.
pub fn wholes_first(mut subdivisions: Vec<subdivision::Model>) -> Vec<subdivision::Model> {
    let parents: HashMap<String, Option<String>> = subdivisions
        .iter()
        .map(|subdivision| (subdivision.code.clone(), subdivision.parent.clone()))
        .collect();
    // A cycle would never end; the foreign key refuses it on write.
    subdivisions.sort_by_cached_key(|subdivision| {
        successors(Some(&subdivision.code), |code| parents.get(*code)?.as_ref())
            .take(parents.len())
            .count()
    });
    subdivisions
}
