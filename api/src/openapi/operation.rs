//! What the route table does not say of a route: messages, answers, errors. Everything that follows from the table is
//! derived, so that an entry has only what is particular to it.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::header::{Parameter, ResponseHeader};
use crate::{
    limits::MAX_JSON_BODY,
    paging::Page,
    problem::ErrorCode,
    routes::{Access, Object, Route},
};

/// Gives the schema of a message.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>() -> SchemaOf {
    |generator| generator.subschema_for::<T>()
}

/// Routes under one heading.
pub(super) struct Group {
    /// Heading.
    pub name: &'static str,
    /// What they have in common.
    pub about: &'static str,
    /// In the order in which they are used.
    pub operations: Vec<Operation>,
}

/// What a body is.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// JSON of this schema.
    Json(SchemaOf),
    /// Something else, of this media type.
    Other(&'static str),
}

/// A request's body.
#[derive(Clone, Copy)]
pub(super) struct Body {
    /// What it is.
    pub content: Content,
    /// Longest, bytes.
    pub limit: usize,
}

/// One kind of success.
pub(super) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// When it is given.
    pub when: &'static str,
    /// Its body; `None` for none.
    pub content: Option<Content>,
    /// Its headers, besides those of every answer.
    pub headers: &'static [ResponseHeader],
}

/// One route as it is documented.
pub(super) struct Operation {
    /// The route.
    pub route: Route,
    /// More than its summary.
    pub about: &'static str,
    /// Its query.
    pub query: Option<SchemaOf>,
    /// Request headers that are particular to it.
    pub headers: &'static [Parameter],
    /// What it takes.
    pub body: Option<Body>,
    /// What it gives.
    pub answers: Vec<Answer>,
    /// What a repeated request does. Every route but those of `GET` says so.
    pub again: Option<&'static str>,
    /// Errors that do not follow from the rest.
    pub fails: &'static [ErrorCode],
    /// Errors of single items inside an answer.
    pub items_fail: &'static [ErrorCode],
    needs: Needs,
}

/// What must work for a route to work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// The process.
    Nothing,
    /// Database or blob store.
    Storage,
    /// Those, and that an organisation was founded.
    Organisation,
}

impl Operation {
    /// An entry for `route` with nothing particular yet.
    pub fn of(route: Route) -> Self {
        Self {
            route,
            about: "",
            query: None,
            headers: &[],
            body: None,
            answers: Vec::new(),
            again: None,
            fails: &[],
            items_fail: &[],
            needs: Needs::Storage,
        }
    }

    /// More than the table's one line.
    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Takes the members of `T` in its query.
    pub fn query<T: JsonSchema>(self) -> Self {
        Self { query: Some(|generator| T::json_schema(generator)), ..self }
    }

    /// Takes these headers.
    pub fn headers(self, headers: &'static [Parameter]) -> Self {
        Self { headers, ..self }
    }

    /// Takes a `T` as JSON, of the usual size.
    pub fn takes<T: JsonSchema>(self) -> Self {
        self.takes_up_to::<T>(MAX_JSON_BODY)
    }

    /// Takes a `T` as JSON of at most `limit` bytes.
    pub fn takes_up_to<T: JsonSchema>(self, limit: usize) -> Self {
        Self { body: Some(Body { content: Content::Json(schema_of::<T>()), limit }), ..self }
    }

    /// Takes at most `limit` bytes of this media type.
    pub fn takes_bytes(self, media_type: &'static str, limit: usize) -> Self {
        Self { body: Some(Body { content: Content::Other(media_type), limit }), ..self }
    }

    /// Gives a `T` as JSON.
    pub fn gives<T: JsonSchema>(self, status: u16, when: &'static str) -> Self {
        self.answer(Answer { status, when, content: Some(Content::Json(schema_of::<T>())), headers: &[] })
    }

    /// Gives a page of `T`.
    pub fn gives_page_of<T: JsonSchema>(self, when: &'static str) -> Self {
        self.gives::<Page<T>>(200, when)
    }

    /// Gives no body.
    pub fn gives_nothing(self, when: &'static str) -> Self {
        self.answer(Answer { status: 204, when, content: None, headers: &[] })
    }

    /// Gives something else than JSON of a message.
    pub fn gives_other(
        self,
        status: u16,
        media_type: &'static str,
        headers: &'static [ResponseHeader],
        when: &'static str,
    ) -> Self {
        self.answer(Answer { status, when, content: Some(Content::Other(media_type)), headers })
    }

    fn answer(mut self, answer: Answer) -> Self {
        self.answers.push(answer);
        self
    }

    /// What the same request does when it is sent again.
    pub fn again(self, again: &'static str) -> Self {
        Self { again: Some(again), ..self }
    }

    /// Errors besides those that follow from the table: whoever may call, the object, the body.
    pub fn fails(self, fails: &'static [ErrorCode]) -> Self {
        Self { fails, ..self }
    }

    /// Errors that single items of the answer may have.
    pub fn items_fail(self, items_fail: &'static [ErrorCode]) -> Self {
        Self { items_fail, ..self }
    }

    /// Works without database and blob store.
    pub fn needs_nothing(self) -> Self {
        Self { needs: Needs::Nothing, ..self }
    }

    /// Fails with `not_founded` until there is an organisation.
    pub fn needs_organisation(self) -> Self {
        Self { needs: Needs::Organisation, ..self }
    }

    /// Every error that it may be answered with, by status.
    pub fn codes(&self) -> BTreeMap<u16, Vec<ErrorCode>> {
        let mut codes = BTreeMap::<u16, Vec<ErrorCode>>::new();
        let derived = [self.of_access(), self.of_form(), self.of_service()].concat();
        for code in derived.into_iter().chain(self.fails.iter().cloned()) {
            let same = codes.entry(code.status()).or_default();
            if !same.contains(&code) {
                same.push(code);
            }
        }
        codes
    }

    fn of_access(&self) -> Vec<ErrorCode> {
        use ErrorCode::{
            AccountPending, InviteCancelled, InviteExpired, InviteReplaced, InviteUnknown, InviteUsed,
            NotFound, NotSignedIn, RoleForbidden, SetupToken,
        };
        let mut codes = match self.route.access {
            Access::Anyone => vec![],
            Access::SetupToken => vec![SetupToken],
            Access::Invitee => vec![InviteUnknown],
            Access::InviteeOrSession => {
                vec![NotSignedIn, InviteUnknown, InviteExpired, InviteReplaced, InviteCancelled, InviteUsed]
            }
            Access::Session => vec![NotSignedIn],
            Access::Member => vec![NotSignedIn, AccountPending],
            Access::Ops => vec![NotSignedIn, AccountPending, RoleForbidden],
        };
        // An invite's token and its id belong together: with another id it is the token that is wrong.
        if self.route.path.contains('{') && self.route.object != Object::Invite {
            codes.push(NotFound);
        }
        codes
    }

    fn of_form(&self) -> Vec<ErrorCode> {
        use ErrorCode::{MalformedRequest, MediaType, Timeout, TooLarge};
        match &self.body {
            Some(_) => vec![MalformedRequest, Timeout, TooLarge, MediaType],
            None if self.query.is_some() || !self.headers.is_empty() => vec![MalformedRequest],
            None => vec![],
        }
    }

    fn of_service(&self) -> Vec<ErrorCode> {
        use ErrorCode::{ApiVersion, Internal, NotFounded, StorageFull, Unavailable};
        let mut codes = vec![Internal];
        if !self.route.answers_any_version() {
            codes.push(ApiVersion);
        }
        if self.needs != Needs::Nothing {
            codes.push(Unavailable);
        }
        if self.needs == Needs::Organisation {
            codes.push(NotFounded);
        }
        if self.route.method != "GET" {
            codes.push(StorageFull);
        }
        codes
    }
}
