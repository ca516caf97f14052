//! A served ledger on a real socket of loopback, and clients for it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::block::{BlockId, Codec};
use holdfast_core::id::Amount;
use holdfast_ledger::account::AccountId;
use holdfast_ledger::storage::PlaceOrder;
use holdfast_ledger::testing;
use holdfast_ledger::transaction::{Payload, Transfer};
use holdfast_proofs::profile::Profile;
use holdfast_server::{Limits, serve};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::schema::Schemas;
use crate::source::MemorySource;

/// A server with its ledger.
pub(crate) struct World {
    pub(crate) source: Arc<MemorySource>,
    pub(crate) address: SocketAddr,
    runtime: Runtime,
    stop: CancellationToken,
    served: Option<JoinHandle<()>>,
    agent: ureq::Agent,
    schemas: Schemas,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The reason of a problem with this status.
    pub(crate) fn problem(&self, status: u16) -> String {
        let problem = self.json();
        assert_eq!(self.status, status, "{problem:#}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        problem["reason"].as_str().unwrap().to_owned()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::of(MemorySource::new(testing::free()), limits)
    }

    pub(crate) fn of(source: MemorySource, limits: Limits) -> Self {
        let source = Arc::new(source);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served = runtime.spawn(serve(listener, source.clone(), limits, stop.clone().cancelled_owned()));
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = config.timeout_global(Some(Duration::from_secs(30))).build().new_agent();
        let schemas = Schemas::new();
        Self { source, address, runtime, stop, served: Some(served), agent, schemas }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks, and checks what holds for every answer.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let answer = self.take(self.agent.get(self.url(path)).call().unwrap());
        self.schemas.check("get", path, &answer);
        answer
    }

    /// Asks for something that is there.
    pub(crate) fn object(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.json()
    }

    /// The reason why something is not there.
    pub(crate) fn refused(&self, path: &str, status: u16) -> String {
        self.get(path).problem(status)
    }

    pub(crate) fn post(&self, media_type: &str, body: &[u8]) -> Answer {
        let request = self.agent.post(self.url("/v1/transactions")).header("content-type", media_type);
        let answer = self.take(request.send(body).unwrap());
        self.schemas.check("post", "/v1/transactions", &answer);
        answer
    }

    fn take(&self, mut response: ureq::http::Response<ureq::Body>) -> Answer {
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let status = response.status().as_u16();
        let answer = Answer { status, headers, text: response.body_mut().read_to_string().unwrap() };
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("holdfast-version"), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(answer.header("access-control-allow-origin"), None);
        answer
    }

    /// A socket on which these bytes were sent.
    pub(crate) fn raw(&self, bytes: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        socket.write_all(bytes).unwrap();
        socket
    }

    /// All that comes back for these bytes until the server closes.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> String {
        let mut answer = Vec::new();
        // A connection that is cut off may end with an error; what came before counts.
        let _ = self.raw(bytes).read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// An event stream, if there is one.
    pub(crate) fn stream(&self, query: &str, last: Option<&str>) -> Result<Stream, Answer> {
        let mut request = self.agent.get(self.url(&format!("/v1/events/stream{query}")));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.call().unwrap();
        if response.status() != 200 {
            return Err(self.take(response));
        }
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Ok(Stream(BufReader::new(Box::new(response.into_body().into_reader()))))
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.stop.cancel();
        let served = self.served.take().unwrap();
        self.runtime.block_on(served).unwrap();
    }

    /// Money from the rich account to another.
    pub(crate) fn transfer(&self, amount: u128) -> Payload {
        let to = AccountId::of(testing::owner(1).public());
        Payload::Transfer(Transfer { to, amount: Amount(amount) })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Questions that a test holds must not keep the runtime from ending.
        self.source.hold(false);
    }
}

/// An order of the rich account.
pub(crate) fn order(number: u8) -> Payload {
    Payload::PlaceOrder(PlaceOrder {
        cid: BlockId::of(Codec::Raw, &[number]),
        piece_bytes: 1000,
        profile: Profile::COPY4,
        epochs: 2,
        price_max: Amount(1),
    })
}

/// The account that has money.
pub(crate) fn rich() -> AccountId {
    AccountId::of(testing::rich().public())
}

/// An event stream as its reader sees it.
pub(crate) struct Stream(BufReader<Box<dyn Read + Send>>);

/// Something that came on a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Told {
    /// A line that says only that the stream is alive.
    Heartbeat,
    /// Id, type and data.
    Event(String, String, Value),
}

impl Stream {
    /// What comes next; none at the end.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let (mut id, mut kind, mut data) = (String::new(), String::new(), String::new());
        loop {
            let mut line = String::new();
            if !matches!(self.0.read_line(&mut line), Ok(1..)) {
                return None;
            }
            let line = line.trim_end();
            match line.split_once(':') {
                Some(("", _)) => {
                    self.0.read_line(&mut String::new()).ok()?;
                    return Some(Told::Heartbeat);
                }
                Some(("id", value)) => id = value.trim().into(),
                Some(("event", value)) => kind = value.trim().into(),
                Some(("data", value)) => data = value.trim().into(),
                _ if line.is_empty() => {
                    return Some(Told::Event(id, kind, serde_json::from_str(&data).unwrap()));
                }
                _ => panic!("a strange line: {line:?}"),
            }
        }
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> (String, String, Value) {
        loop {
            match self.next() {
                Some(Told::Heartbeat) => {}
                Some(Told::Event(id, kind, data)) => return (id, kind, data),
                None => panic!("the stream ended"),
            }
        }
    }

    /// The positions of so many events.
    pub(crate) fn positions(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.event().0).collect()
    }
}
