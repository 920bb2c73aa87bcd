//! `tokenbook serve`: the page, and the JSON API under it. It only reads.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokenbook_wire::{Book, Error, ErrorCode, fault, guard};
use tokio::sync::watch;

use crate::arguments::{Arguments, Serve};
use crate::failure::Failure;
use crate::page::{self, View};
use crate::place;

/// Nothing from elsewhere, nothing written into the page, and no page around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How often the ledger is looked at while somebody watches.
const PACE: Duration = Duration::from_secs(1);

/// Largest body of a question.
const MAX_BODY: usize = 1 << 20;

struct Server {
    book: Arc<Book>,
    token: Option<String>,
    /// What is told to everybody who watches.
    news: watch::Sender<String>,
}

/// Serves until the process is told to end.
pub(crate) fn run(arguments: &Arguments, serve: &Serve) -> Result<(), Failure> {
    let address = serve.listen;
    if serve.token.is_none() && !address.ip().is_loopback() {
        let failure = Failure::invalid(format!("{address} can be reached from other machines, and needs a token"));
        return Err(failure.hint("set TOKENBOOK_TOKEN, or --token"));
    }
    if serve.token.as_ref().is_some_and(|token| token.len() < 16) {
        return Err(Failure::invalid("token: expected 16 characters or more"));
    }
    let server = Arc::new(Server {
        book: Arc::new(place::open(arguments)?),
        token: serve.token.clone(),
        news: watch::Sender::new(String::new()),
    });
    // Questions run on threads of their own; few of them, since each keeps a cache of the ledger.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(4)
        .enable_all()
        .build()
        .map_err(|error| Failure::io("the server", &error))?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| Failure::io(address, &error))?;
        let address = listener.local_addr().map_err(|error| Failure::io(address, &error))?;
        println!("http://{address}/");
        tokio::spawn(look(Arc::clone(&server)));
        axum::serve(listener, router(server))
            .with_graceful_shutdown(ended())
            .await
            .map_err(|error| Failure::io(address, &error))
    })?;
    // Watchers keep their connections open for ever.
    runtime.shutdown_background();
    Ok(())
}

async fn ended() {
    let _ = tokio::signal::ctrl_c().await;
    // Open event streams would hold it for ever.
    std::process::exit(0);
}

fn router(server: Arc<Server>) -> Router {
    let asset =
        |kind: &'static str, text: &'static str| get(move || async move { ([(header::CONTENT_TYPE, kind)], text) });
    Router::new()
        .route("/", asset("text/html; charset=utf-8", page::html()))
        .route("/app.js", asset("text/javascript; charset=utf-8", page::CODE))
        .route("/app.css", asset("text/css; charset=utf-8", page::STYLE))
        .route("/api/openapi.json", get(|| async { axum::Json(page::openapi()) }))
        .route("/api/events", get(events))
        .route("/api/{op}", post(operation))
        .layer(axum::extract::DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(Arc::clone(&server), guarded))
        .with_state(server)
}

/// Lets in who may, and says what a browser must not do with the answer.
async fn guarded(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let mut response = match admit(&server, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => *refusal,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn admit(server: &Server, request: &Request) -> Result<(), Box<Response>> {
    let refuse = |status: StatusCode, text: &'static str| Err(Box::new((status, text).into_response()));
    let Some(token) = &server.token else {
        // A name of elsewhere that was made to lead here is a page of elsewhere that wants to read.
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let name = host.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).map_or(host, |(name, _)| name);
        let is_here = name == "localhost"
            || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        return if is_here {
            Ok(())
        } else {
            refuse(StatusCode::FORBIDDEN, "this server answers to its own address only\n")
        };
    };
    if given(request.headers()).is_some_and(|given| same(given, token)) {
        return Ok(());
    }
    // A person brings the token in the address once, and gets a cookie for it.
    let asked = request.uri().query().and_then(|query| query.strip_prefix("token="));
    if request.uri().path() == "/" && asked.is_some_and(|asked| same(asked, token)) {
        let mut response = Redirect::to("/").into_response();
        let cookie = format!("tokenbook={token}; HttpOnly; SameSite=Strict; Path=/");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        return Err(Box::new(response));
    }
    refuse(StatusCode::UNAUTHORIZED, "a token is needed: open /?token=… once, or send `authorization: Bearer …`\n")
}

/// The token of a request.
fn given(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    bearer.or_else(|| {
        let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
        cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix("tokenbook="))
    })
}

/// Compares in a time that doesn't tell where they differ.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// Asks the ledger away from the threads that talk.
async fn asked<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(move || guard(work)).await;
    done.unwrap_or_else(|error| Err(Error::new(ErrorCode::Internal, error.to_string())))
}

async fn operation(State(server): State<Arc<Server>>, Path(op): Path<String>, body: Bytes) -> Response {
    let book = Arc::clone(&server.book);
    let answer = asked(move || {
        let text = std::str::from_utf8(&body).map_err(|_| Error::invalid("expected JSON text in UTF-8"))?;
        if op == "page" {
            let view: View = serde_json::from_str(text).map_err(|error| Error::invalid(error.to_string()))?;
            return page::page(&book, &view).map(|page| page.to_string());
        }
        if !page::READING.contains(&op.as_str()) {
            return Err(Error::new(ErrorCode::NotFound, format!("there is no {op:?} here")));
        }
        book.call(&op, text)
    });
    match answer.await {
        Ok(text) => json_text(StatusCode::OK, text),
        Err(error) => json_text(status(error.code()), fault(&error)),
    }
}

fn json_text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound | ErrorCode::UnknownModel => StatusCode::NOT_FOUND,
        ErrorCode::Conflict => StatusCode::CONFLICT,
        ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Looks at the ledger while anybody watches, once for all.
async fn look(server: Arc<Server>) {
    loop {
        tokio::time::sleep(PACE).await;
        if server.news.receiver_count() == 0 {
            continue;
        }
        let book = Arc::clone(&server.book);
        let seen = asked(move || {
            let read = |op: &str| -> Result<Value, Error> {
                serde_json::from_str(&book.call(op, "{}")?)
                    .map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))
            };
            let stats = read("stats")?;
            Ok(json!({ "recorded": stats["recorded"], "live": read("live")?["calls"] }).to_string())
        });
        // What can't be read now may be the next time; those who watch keep what they have.
        if let Ok(seen) = seen.await {
            server.news.send_if_modified(|old| {
                let is_new = *old != seen;
                *old = seen;
                is_new
            });
        }
    }
}

async fn events(State(server): State<Arc<Server>>) -> impl IntoResponse {
    let news = server.news.subscribe();
    let told = futures_util::stream::unfold((news, true), |(mut news, is_first)| async move {
        let is_empty = news.borrow_and_update().is_empty();
        if !is_first || is_empty {
            news.changed().await.ok()?;
        }
        let text = news.borrow_and_update().clone();
        Some((Ok::<_, Infallible>(Event::default().data(text)), (news, false)))
    });
    Sse::new(told).keep_alive(KeepAlive::default())
}

/// Where it listens when nothing else is said.
pub(crate) const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8377);
