//! A door before a broker: it lets everything through but what a test keeps from it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// `basic.consume` and `channel.close-ok`, by class and method.
const CONSUME: [u8; 4] = [0, 60, 0, 20];
const CLOSE_OK: [u8; 4] = [0, 20, 0, 41];
/// `channel.close` with code 403 and a text, because of `basic.consume`.
const REFUSAL: &[u8] = b"\x00\x14\x00\x28\x01\x93\x0eACCESS_REFUSED\x00\x3c\x00\x14";
const METHOD_FRAME: u8 = 1;
const FRAME_END: u8 = 0xce;

/// What the proxy makes of `basic.consume`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumeAnswer {
    /// The broker gets the request.
    Allowed,
    /// Nobody answers, as a quorum queue without a leader does not.
    Unanswered,
    /// The proxy refuses the request.
    Refused,
}

/// A proxy in front of RabbitMQ that answers `basic.consume` itself when told to.
#[derive(Clone, Debug)]
pub struct BrokerProxy {
    url: String,
    state: Arc<ProxyState>,
}

#[derive(Debug)]
struct ProxyState {
    broker: String,
    consuming: AtomicU8,
    connections: AtomicUsize,
}

impl BrokerProxy {
    /// A door before the broker at an `amqp://` URL. It stands for as long as the process.
    #[track_caller]
    pub fn before(url: &str) -> Self {
        let address = url.rsplit_once('@').map_or(url, |(_, address)| address);
        let address = address.split('/').next().unwrap_or(address).to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap_or_else(|error| panic!("no port: {error}"));
        let ours = listener.local_addr().unwrap_or_else(|error| panic!("no port: {error}"));
        let state = Arc::new(ProxyState {
            broker: address.clone(),
            consuming: AtomicU8::new(ConsumeAnswer::Allowed as u8),
            connections: AtomicUsize::new(0),
        });
        let door = Self { url: url.replace(&address, &ours.to_string()), state: Arc::clone(&state) };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                state.connections.fetch_add(1, Ordering::Relaxed);
                let state = Arc::clone(&state);
                // A connection that breaks is what connections do.
                std::thread::spawn(move || drop(state.pass(client)));
            }
        });
        door
    }

    /// The address at which a supervisor reaches the broker through it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on this becomes of `basic.consume`.
    pub fn set(&self, consuming: ConsumeAnswer) {
        self.state.consuming.store(consuming as u8, Ordering::Relaxed);
    }

    /// How many connections have come so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl ProxyState {
    fn pass(&self, mut client: TcpStream) -> io::Result<()> {
        let mut broker = TcpStream::connect(&self.broker)?;
        let to_client = Arc::new(Mutex::new(client.try_clone()?));
        let (answers, back) = (broker.try_clone()?, Arc::clone(&to_client));
        std::thread::spawn(move || drop(answer(answers, &back)));
        let mut header = [0; 8];
        client.read_exact(&mut header)?;
        broker.write_all(&header)?;
        let mut refused = Vec::new();
        loop {
            let Ok(frame) = read_frame(&mut client) else { return broker.shutdown(Shutdown::Both) };
            let (channel, method) = ([frame[1], frame[2]], frame.get(7..11).unwrap_or_default());
            let is_method = frame[0] == METHOD_FRAME;
            if is_method && method == CONSUME {
                let now = self.consuming.load(Ordering::Relaxed);
                if now == ConsumeAnswer::Unanswered as u8 {
                    continue;
                }
                if now == ConsumeAnswer::Refused as u8 {
                    refused.push(channel);
                    lock(&to_client).write_all(&close(channel))?;
                    continue;
                }
            }
            // The broker knows nothing of the refusal.
            if is_method && method == CLOSE_OK && refused.contains(&channel) {
                continue;
            }
            broker.write_all(&frame)?;
        }
    }
}

fn answer(mut broker: TcpStream, client: &Mutex<TcpStream>) -> io::Result<()> {
    loop {
        let Ok(frame) = read_frame(&mut broker) else { return lock(client).shutdown(Shutdown::Both) };
        lock(client).write_all(&frame)?;
    }
}

fn lock(client: &Mutex<TcpStream>) -> std::sync::MutexGuard<'_, TcpStream> {
    client.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A whole frame: type, channel, length, payload, end.
fn read_frame(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 7];
    from.read_exact(&mut frame)?;
    let length = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]) as usize;
    frame.resize(7 + length + 1, 0);
    from.read_exact(&mut frame[7..])?;
    Ok(frame)
}

fn close(channel: [u8; 2]) -> Vec<u8> {
    let length = u32::try_from(REFUSAL.len()).unwrap_or_default().to_be_bytes();
    [&[METHOD_FRAME], &channel[..], &length, REFUSAL, &[FRAME_END]].concat()
}
