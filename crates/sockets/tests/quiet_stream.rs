//! What a quiet stream carries, and when it wakes its owner.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io::{self, ErrorKind, Read as _};
use std::time::Duration;

use feeway_sockets::QuietStream;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// More than the kernel takes at once.
const MUCH: usize = 4 * 1024 * 1024;

const EXCHANGES: u64 = 10;
const SHORTLY: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(20);

fn pair() -> (QuietStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (QuietStream::new(ours).unwrap(), theirs)
}

/// Bytes no two neighbouring blocks of which are alike.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at / 7 % 251) as u8).collect()
}

#[tokio::test]
async fn what_is_read_and_written_arrives_whole() {
    let (mut ours, mut theirs) = pair();
    ours.write_all(b"question").await.unwrap();
    let mut heard = [0; 8];
    theirs.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"question");
    theirs.write_all(b"answer").await.unwrap();
    let mut heard = [0; 6];
    ours.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"answer");
}

#[tokio::test]
async fn more_than_the_kernel_takes_goes_both_ways_at_once() {
    let (ours, theirs) = pair();
    let sent = bytes(MUCH);
    let ((mut ours_in, mut ours_out), (mut theirs_in, mut theirs_out)) =
        (split(ours), split(theirs));
    let (mut here, mut there) = (vec![0; MUCH], vec![0; MUCH]);
    let all = async {
        tokio::try_join!(
            ours_out.write_all(&sent),
            theirs_out.write_all(&sent),
            ours_in.read_exact(&mut here),
            theirs_in.read_exact(&mut there),
        )
    };
    timeout(LONG, all).await.expect("nobody is stuck").unwrap();
    assert!(here == sent && there == sent);
}

#[tokio::test]
async fn a_writer_whom_the_kernel_refused_goes_on_when_there_is_room_and_is_quiet_again() {
    let (mut ours, mut theirs) = pair();
    let sent = bytes(MUCH);
    for _ in 0..2 {
        let mut heard = vec![0; MUCH];
        let writing = ours.write_all(&sent);
        let both = async { tokio::try_join!(writing, theirs.read_exact(&mut heard)) };
        timeout(LONG, both).await.expect("nobody is stuck").unwrap();
        assert!(heard == sent);
    }
    // As quiet as before.
    assert_eq!(wake_ups(ours, theirs).await, EXCHANGES);
}

/// How often the runtime woke up while so many messages went out, each of which was read a
/// while later. It is woken once for each in any case: to send the next.
async fn wake_ups(mut ours: impl AsyncWrite + Unpin, theirs: UnixStream) -> u64 {
    let mut theirs = theirs.into_std().unwrap();
    theirs.set_nonblocking(false).unwrap();
    let (was_read, mut read) = mpsc::channel(1);
    let reader = std::thread::spawn(move || {
        for _ in 0..EXCHANGES {
            theirs.read_exact(&mut [0; 1]).unwrap();
            std::thread::sleep(SHORTLY);
            // Only now the message is gone from the socket.
            theirs.read_exact(&mut [0; 5]).unwrap();
            std::thread::sleep(SHORTLY);
            was_read.blocking_send(()).unwrap();
        }
        theirs
    });
    let metrics = Handle::current().metrics();
    let before = metrics.worker_park_count(0);
    for _ in 0..EXCHANGES {
        ours.write_all(b"answer").await.unwrap();
        read.recv().await.unwrap();
    }
    let wake_ups = metrics.worker_park_count(0) - before;
    drop(reader.join().unwrap());
    wake_ups
}

#[tokio::test]
async fn reading_by_the_other_side_wakes_nobody() {
    let (ours, theirs) = pair();
    assert_eq!(wake_ups(ours, theirs).await, EXCHANGES);
    // It would with tokio's own stream; else this type has had its day.
    let (ours, theirs) = UnixStream::pair().unwrap();
    assert!(wake_ups(ours, theirs).await >= 2 * EXCHANGES);
}

/// What comes in pieces that fill the room exactly, or fall short of it, is never forgotten.
#[tokio::test]
async fn pieces_of_every_size_arrive() {
    let (mut ours, mut theirs) = pair();
    for size in [1, 63, 2_047, 2_048, 2_049, 4_096, 5_000] {
        for _ in 0..3 {
            let sent = bytes(size);
            theirs.write_all(&sent).await.unwrap();
            let mut heard = vec![0; size];
            let reading = ours.read_exact(&mut heard);
            timeout(LONG, reading)
                .await
                .expect("all of it is there")
                .unwrap();
            assert_eq!(heard, sent);
        }
    }
}

#[tokio::test]
async fn a_closed_stream_reads_as_the_end() {
    let (mut ours, mut theirs) = pair();
    theirs.write_all(b"last").await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut heard = Vec::new();
    ours.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"last");
    // It has only stopped talking, so it still listens.
    ours.write_all(b"farewell").await.unwrap();
    ours.shutdown().await.unwrap();
    theirs.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"lastfarewell");
}

#[tokio::test]
async fn who_waits_learns_that_the_other_side_has_gone() {
    let (mut ours, theirs) = pair();
    let reading = tokio::spawn(async move {
        let count = ours.read(&mut [0; 8]).await.unwrap();
        (count, ours)
    });
    sleep(SHORTLY).await;
    drop(theirs);
    let (count, mut ours) = timeout(LONG, reading).await.unwrap().unwrap();
    assert_eq!(count, 0);
    let error = ours.write_all(b"hello?").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn who_waits_for_room_learns_that_the_other_side_has_gone() {
    let (mut ours, theirs) = pair();
    let writing = tokio::spawn(async move { ours.write_all(&bytes(MUCH)).await });
    sleep(SHORTLY).await;
    assert!(!writing.is_finished());
    drop(theirs);
    let error = timeout(LONG, writing).await.unwrap().unwrap().unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_tried_is_written_at_once_or_not() -> io::Result<()> {
    let (ours, mut theirs) = pair();
    assert_eq!(ours.try_write(b"no room")?, 7);
    theirs.read_exact(&mut [0; 7]).await?;
    let much = bytes(MUCH);
    while ours.try_write(&much).is_ok() {}
    let refused = ours.try_write(&much).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WouldBlock);
    Ok(())
}

/// hyper hands over head and body of an answer like that.
#[tokio::test]
async fn slices_go_in_one_call() {
    let (mut ours, mut theirs) = pair();
    assert!(ours.is_write_vectored());
    let slices = [io::IoSlice::new(b"head "), io::IoSlice::new(b"body")];
    assert_eq!(ours.write_vectored(&slices).await.unwrap(), 9);
    let mut heard = [0; 9];
    theirs.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"head body");
}
