//! Who did it: the [`Actor`] of a record.

/// What kind of actor a record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ActorType {
    /// A signed-in user.
    User,
    /// Another program, or a job of this one.
    Service,
    /// The application itself.
    System,
    /// An unauthenticated request.
    Anonymous,
    /// No actor is set.
    #[default]
    Unknown,
}

impl ActorType {
    pub(crate) const ALL: [Self; 5] = [
        Self::User,
        Self::Service,
        Self::System,
        Self::Anonymous,
        Self::Unknown,
    ];

    /// The stored word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "USER",
            Self::Service => "SERVICE",
            Self::System => "SYSTEM",
            Self::Anonymous => "ANONYMOUS",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Who did it, by value: type, id and name, never a foreign key, so that deleting a user neither
/// fails nor erases history.
///
/// # Examples
/// ```
/// use sea_orm_audit_core::Actor;
/// let actor = Actor::user(7).named("Ann").impersonated_by(1);
/// assert_eq!(actor.id(), Some("7"));
/// assert_eq!(actor.impersonator(), Some("1"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Actor {
    kind: ActorType,
    id: Option<String>,
    name: Option<String>,
    impersonator: Option<String>,
}

impl Actor {
    fn of(kind: ActorType, id: Option<String>) -> Self {
        Self {
            kind,
            id,
            name: None,
            impersonator: None,
        }
    }

    /// A signed-in user, identified by the application's id.
    #[must_use]
    pub fn user(id: impl ToString) -> Self {
        Self::of(ActorType::User, Some(id.to_string()))
    }

    /// Another program, or a job of this one, such as `nightly-import`.
    #[must_use]
    pub fn service(id: impl ToString) -> Self {
        Self::of(ActorType::Service, Some(id.to_string()))
    }

    /// The application itself.
    #[must_use]
    pub fn system() -> Self {
        Self::of(ActorType::System, None)
    }

    /// An unauthenticated request.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::of(ActorType::Anonymous, None)
    }

    /// No actor is set. A write outside any context has this actor.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Adds the name to show; the id stays what identifies the actor.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds the id of the user who acts under this actor's account.
    #[must_use]
    pub fn impersonated_by(mut self, id: impl ToString) -> Self {
        self.impersonator = Some(id.to_string());
        self
    }

    /// The kind of actor.
    #[must_use]
    pub const fn kind(&self) -> ActorType {
        self.kind
    }

    /// The id, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The name to show, where there is one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The id of the user behind an impersonated actor.
    #[must_use]
    pub fn impersonator(&self) -> Option<&str> {
        self.impersonator.as_deref()
    }
}
