//! What is said about statements of members that their organization does not take.

use events::{access_review, declaration, incident, restore_test};

use super::{Code, FieldError, Problem};

fn of_field(field: &str, detail: &str) -> Problem {
    Problem::invalid(vec![FieldError { field: field.to_owned(), detail: detail.to_owned() }])
}

impl From<declaration::Rejection> for Problem {
    fn from(rejection: declaration::Rejection) -> Self {
        use declaration::Rejection;
        match rejection {
            Rejection::NotFound => Self::new(Code::NotFound),
            Rejection::AlreadyDeclared => Self::new(Code::AlreadyDeclared),
            Rejection::OtherKind => {
                of_field("kind", "must be the kind of the declaration that is replaced")
            }
            Rejection::OverseerNotAMember => {
                of_field("overseers", "must be members of the organization")
            }
            Rejection::TooMany => Self::new(Code::StatementLimit),
        }
    }
}

impl From<incident::Rejection> for Problem {
    fn from(rejection: incident::Rejection) -> Self {
        use incident::{Rejection, Step};
        match rejection {
            Rejection::NotFound => Self::new(Code::NotFound),
            Rejection::UnknownAiSystem => {
                of_field("ai_systems", "must be AI systems that are declared")
            }
            Rejection::BeforeDetection(step) => {
                let field = match step {
                    Step::Aware => "aware_at",
                    Step::Classified => "classified_at",
                    Step::Submitted => "submitted_at",
                    Step::Recovered => "recovered_at",
                };
                of_field(field, "must not lie before the incident was detected")
            }
            Rejection::NotClassified => Self::new(Code::IncidentNotClassified),
            Rejection::ReportOutOfOrder => Self::new(Code::ReportOutOfOrder),
            Rejection::Closed => Self::new(Code::IncidentClosed),
            Rejection::TooMany => Self::new(Code::StatementLimit),
        }
    }
}

impl From<access_review::Rejection> for Problem {
    fn from(rejection: access_review::Rejection) -> Self {
        use access_review::Rejection;
        match rejection {
            Rejection::NotFound => Self::new(Code::NotFound),
            Rejection::NotReviewed(item) => {
                of_field("decisions", &format!("must be about items of the review; {item} is none"))
            }
            Rejection::Completed => Self::new(Code::ReviewCompleted),
            Rejection::Undecided(_) => Self::new(Code::ReviewUndecided),
            Rejection::TooMany => Self::new(Code::StatementLimit),
        }
    }
}

impl From<restore_test::Rejection> for Problem {
    fn from(rejection: restore_test::Rejection) -> Self {
        use restore_test::Rejection;
        match rejection {
            Rejection::NotFound => Self::new(Code::NotFound),
            Rejection::TooMany => Self::new(Code::StatementLimit),
        }
    }
}
