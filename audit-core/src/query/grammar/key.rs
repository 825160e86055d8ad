//! The keys of filters.

use crate::query::suggest::nearest;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Model,
    Object,
    Action,
    Outcome,
    Actor,
    ActorType,
    Impersonator,
    Ip,
    Tenant,
    Request,
    Trace,
    Transaction,
    Reason,
    Source,
    Module,
    Created,
    Field,
    From,
    To,
}

/// Words that are no keys, and the keys that are probably meant.
const MEANT: [(&str, Key); 12] = [
    ("address", Key::Ip),
    ("changed", Key::Field),
    ("column", Key::Field),
    ("date", Key::Created),
    ("entity", Key::Model),
    ("id", Key::Object),
    ("since", Key::Created),
    ("table", Key::Model),
    ("time", Key::Created),
    ("type", Key::ActorType),
    ("until", Key::Created),
    ("user", Key::Actor),
];

impl Key {
    pub(super) const ALL: [Self; 19] = [
        Self::Model,
        Self::Object,
        Self::Action,
        Self::Outcome,
        Self::Actor,
        Self::ActorType,
        Self::Impersonator,
        Self::Ip,
        Self::Tenant,
        Self::Request,
        Self::Trace,
        Self::Transaction,
        Self::Reason,
        Self::Source,
        Self::Module,
        Self::Created,
        Self::Field,
        Self::From,
        Self::To,
    ];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Object => "object",
            Self::Action => "action",
            Self::Outcome => "outcome",
            Self::Actor => "actor",
            Self::ActorType => "actor-type",
            Self::Impersonator => "impersonator",
            Self::Ip => "ip",
            Self::Tenant => "tenant",
            Self::Request => "request",
            Self::Trace => "trace",
            Self::Transaction => "transaction",
            Self::Reason => "reason",
            Self::Source => "source",
            Self::Module => "module",
            Self::Created => "created",
            Self::Field => "field",
            Self::From => "from",
            Self::To => "to",
        }
    }

    /// The key of this name. Case does not matter.
    pub(super) fn of(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("tx") {
            return Some(Self::Transaction);
        }
        Self::ALL
            .into_iter()
            .find(|key| name.eq_ignore_ascii_case(key.as_str()))
    }

    /// The key that is probably meant.
    pub(super) fn meant(name: &str) -> Option<&'static str> {
        let meant = MEANT
            .iter()
            .find(|(word, _)| name.eq_ignore_ascii_case(word));
        match meant {
            Some((_, key)) => Some(key.as_str()),
            None => nearest(name, Self::ALL.map(Self::as_str)),
        }
    }

    /// All keys for a message.
    pub(super) fn list() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}
