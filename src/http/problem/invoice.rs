//! What is said about invoices that cannot be settled as somebody wants it.

use events::invoice::Rejection;

use super::{Code, Problem};

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound | Rejection::InvoiceNotFound => Self::new(Code::NotFound),
            Rejection::IllegalIn(status) => {
                let detail = format!("the invoice is {}", status.as_str());
                Self::with_detail(Code::InvoiceSettled, detail)
            }
            Rejection::TooMuch { left } => {
                let detail = format!("more than 0.00 and no more than {left} can be credited");
                Self::with_detail(Code::CreditTooLarge, detail)
            }
        }
    }
}
