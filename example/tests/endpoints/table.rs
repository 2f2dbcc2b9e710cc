//! Requests to the example's endpoints, and parts of the responses: one list for each server.

/// A request and a part of the response's body.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) body: Option<&'static str>,
    pub(crate) answer: &'static str,
}

const fn get(path: &'static str, answer: &'static str) -> Call {
    Call { method: "GET", path, body: None, answer }
}

const fn post(path: &'static str, body: &'static str, answer: &'static str) -> Call {
    Call { method: "POST", path, body: Some(body), answer }
}

/// Requests to Python, whichever program serves.
pub(crate) const PYTHON: [Call; 10] = [
    get("/python/hello?name=Ada", "Hello, Ada, from Python"),
    post("/python/process", r#"{"numbers": [1, 2, 6]}"#, r#""mean":3.0"#),
    get("/python/users/42", r#""user_id":42"#),
    get("/python/items/bread", r#""price":2.8"#),
    get("/python/echo?a=1", r#""query":{"a":"1"}"#),
    get("/python/polars-demo", r#"{"city":"Wien","sales":585}"#),
    get("/python/pool/squares", r#""squares":[0,1,4,9,16,25,36,49,64,81]"#),
    post("/python/pool/compute", r#"{"numbers": [1, 2, 3]}"#, r#""squares":[1,4,9]"#),
    post("/python/pool/sum", r#"{"numbers": [1, 2, 3]}"#, r#""sum":14"#),
    get("/python/pool/factorial/20", "2432902008176640000"),
];
