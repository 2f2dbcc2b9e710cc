//! Requests to the example's endpoints, and parts of the responses: one list for each server.

/// A request and a part of the response's body.
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: &'static str,
    pub(crate) expected: &'static str,
}

pub(crate) const fn get(path: &'static str, expected: &'static str) -> Call {
    Call { method: "GET", path, content_type: "", body: "", expected }
}

pub(crate) const fn post(path: &'static str, body: &'static str, expected: &'static str) -> Call {
    Call { method: "POST", path, content_type: "application/json", body, expected }
}

/// A form with the boundary `X`.
const fn post_form(path: &'static str, body: &'static str, expected: &'static str) -> Call {
    Call { method: "POST", path, content_type: "multipart/form-data; boundary=X", body, expected }
}

const UPLOAD: &str = concat!(
    "--X\r\nContent-Disposition: form-data; name=file; filename=a.csv\r\n\r\nprice\n1\n2\n3\n\r\n",
    "--X\r\nContent-Disposition: form-data; name=column\r\n\r\nprice\r\n",
    "--X\r\nContent-Disposition: form-data; name=rounds\r\n\r\n100\r\n",
    "--X\r\nContent-Disposition: form-data; name=level\r\n\r\n95\r\n--X--\r\n",
);

/// Requests to Python, whichever program serves.
pub(crate) const PYTHON: [Call; 13] = [
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
    get("/python/confidence/", "How sure is this mean?"),
    get("/python/confidence/deliveries.csv", "city,minutes"),
    post_form("/python/confidence/resamples", UPLOAD, "With 95% confidence, price has a mean of"),
];
