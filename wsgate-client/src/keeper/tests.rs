use super::*;
use crate::held::BadToken;
use crate::token_command::CommandError;
use std::cell::Cell;
use std::collections::VecDeque;
use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

thread_local! {
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
    /// What a sleeping machine has lost.
    static LOST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// As the paused clock of the test.
fn clock() -> SystemTime {
    let start = START.get().unwrap_or_else(Instant::now);
    START.set(Some(start));
    UNIX_EPOCH + Duration::from_secs(1_000_000) + start.elapsed() + LOST.get()
}

fn advance(seconds: u64) -> impl Future<Output = ()> {
    sleep(Duration::from_secs(seconds))
}

/// What it answers in turn: a token's life in seconds, or a failure. At last it is silent.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Option<u64>>>,
    asked: Arc<Mutex<Vec<u64>>>,
}

impl Source for Scripted {
    async fn token(&self, now: SystemTime) -> Result<Held, SourceError> {
        let second = now.duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.asked.lock().unwrap().push(second - 1_000_000);
        let next = self.answers.lock().unwrap().pop_front();
        match next {
            Some(Some(life)) => {
                let claims = format!(r#"{{"exp":{}}}"#, second + life);
                let token = format!("eyJ.{}.{}", URL_SAFE_NO_PAD.encode(claims), second - 1_000_000);
                Ok(Held::identity(&token, now).unwrap())
            }
            Some(None) => Err(CommandError::from(BadToken::Empty).into()),
            None => std::future::pending().await,
        }
    }

    fn name(&self) -> String {
        "script".into()
    }
}

struct Kept {
    keeper: Keeper<Scripted>,
    asked: Arc<Mutex<Vec<u64>>>,
}

fn kept(answers: &[Option<u64>]) -> Kept {
    START.set(None);
    LOST.set(Duration::ZERO);
    clock();
    let source = Scripted { answers: Mutex::new(answers.iter().copied().collect()), asked: Arc::default() };
    let asked = source.asked.clone();
    Kept { keeper: Keeper::new(source, clock), asked }
}

impl Kept {
    /// When the token that is sent was made, in seconds from the start.
    async fn bearer(&self) -> Result<u64, String> {
        let budget = Budget::new(Some(Duration::from_secs(5)));
        let bearer = self.keeper.bearer(budget).await.map_err(|error| error.to_string())?;
        Ok(bearer.to_str().unwrap().rsplit('.').next().unwrap().parse().unwrap())
    }

    fn asked(&self) -> Vec<u64> {
        self.asked.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_before_somebody_needs_a_token_and_many_wait_for_one() {
    let kept = kept(&[Some(3600)]);
    advance(10).await;
    assert_eq!(kept.asked(), Vec::<u64>::new());
    let all = tokio::join!(kept.bearer(), kept.bearer(), kept.bearer());
    assert_eq!(all, (Ok(10), Ok(10), Ok(10)));
    assert_eq!(kept.asked(), [10]);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_ahead_of_its_expiry_though_nobody_asks() {
    let kept = kept(&[Some(3600), Some(3600), Some(100), Some(2), Some(3600)]);
    assert_eq!(kept.bearer().await, Ok(0));
    advance(3299).await;
    assert_eq!((kept.bearer().await, kept.asked()), (Ok(0), vec![0]));
    advance(2).await;
    assert_eq!((kept.bearer().await, kept.asked()), (Ok(3300), vec![0, 3300]));
    advance(3300).await;
    assert_eq!(kept.bearer().await, Ok(6600));
    advance(60).await; // half of 100, and then half of 2
    assert_eq!((kept.bearer().await, kept.asked()), (Ok(6651), vec![0, 3300, 6600, 6650, 6651]));
}

#[tokio::test(start_paused = true)]
async fn a_failed_renewal_is_retried_while_the_old_token_is_used() {
    let failed = None;
    let kept = kept(&[Some(3600), failed, failed, failed, failed, Some(3600)]);
    assert_eq!(kept.bearer().await, Ok(0));
    advance(3301).await;
    for _ in 0..3 {
        assert_eq!(kept.bearer().await, Ok(0), "at once");
        advance(3).await;
    }
    advance(20).await;
    assert_eq!(kept.bearer().await, Ok(*kept.asked().last().unwrap()));
    let asked = kept.asked();
    assert_eq!((asked.len(), asked[1]), (6, 3300));
    for (pair, shortest) in asked[1..].windows(2).zip([1, 2, 4, 8]) {
        let pause = pair[1] - pair[0];
        assert!((shortest..=shortest + 1 + shortest / 4).contains(&pause), "{asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_keeps_nobody_waiting() {
    let kept = kept(&[Some(3600)]);
    assert_eq!(kept.bearer().await, Ok(0));
    advance(3500).await;
    let before = Instant::now();
    assert_eq!((kept.bearer().await, kept.asked()), (Ok(0), vec![0, 3300]));
    assert_eq!(before.elapsed(), Duration::ZERO);
    advance(70).await; // its last half minute is not used
    assert_eq!(kept.bearer().await, Err("no token within 5s".into()));
    assert_eq!(before.elapsed().as_secs(), 75);
}

#[tokio::test(start_paused = true)]
async fn without_a_token_each_connection_has_an_error_and_the_source_is_not_stormed() {
    let kept = kept(&[None, None, None, Some(3600)]);
    for _ in 0..100 {
        assert_eq!(kept.bearer().await, Err("--token-command".into()));
    }
    assert_eq!(kept.asked(), [0]);
    advance(10).await; // 1 s and 2 s later they are tried again without anybody, and 4 s later the third time
    assert_eq!((kept.bearer().await.is_ok(), kept.asked().len()), (true, 4));
}

#[tokio::test(start_paused = true)]
async fn who_needs_a_token_does_not_wait_for_a_long_pause_to_end() {
    let mut answers = [None; 9];
    answers[8] = Some(Some(3600));
    let answers: Vec<_> = answers.map(Option::flatten).to_vec();
    let kept = kept(&answers);
    assert!(kept.bearer().await.is_err());
    while kept.asked().len() < 8 {
        advance(1).await;
    }
    advance(5).await; // of a minute
    let now = clock().duration_since(UNIX_EPOCH).unwrap().as_secs() - 1_000_000;
    assert_eq!(kept.bearer().await, Ok(now));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_the_gateway_makes_one_attempt_a_minute() {
    let kept = kept(&[Some(3600); 9]);
    assert_eq!(kept.bearer().await, Ok(0));
    advance(10).await;
    for second in 10..100 {
        for _ in 0..10 {
            kept.keeper.refused();
        }
        advance(1).await;
        let made = if second < 70 { 10 } else { 70 };
        assert_eq!(kept.bearer().await, Ok(made), "at {second}");
    }
    assert_eq!(kept.asked(), [0, 10, 70]);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_is_waited_for_and_shared() {
    let kept = kept(&[Some(3600), Some(3600), None, Some(3600)]);
    assert_eq!(kept.bearer().await, Ok(0));
    let budget = Budget::new(None);
    advance(10).await;
    let (one, other) = tokio::join!(kept.keeper.renewed(budget), kept.keeper.renewed(budget));
    assert!(one.is_ok() && other.is_ok());
    assert_eq!(kept.bearer().await, Ok(10));
    advance(10).await;
    assert!(kept.keeper.renewed(budget).await.is_ok(), "within a minute there is nothing newer to be had");
    assert_eq!(kept.asked(), [0, 10]);
    advance(60).await;
    assert!(kept.keeper.renewed(budget).await.is_err(), "the source fails");
    assert_eq!(kept.bearer().await, Ok(10), "and the old one is good still");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_looks_at_the_clock() {
    let kept = kept(&[Some(3600), Some(3600), Some(3600)]);
    assert_eq!(kept.bearer().await, Ok(0));
    LOST.set(Duration::from_secs(3400));
    advance(31).await;
    assert_eq!(kept.bearer().await, Ok(3430), "renewed without anybody");
    LOST.set(Duration::from_secs(9000));
    assert_eq!(
        kept.bearer().await,
        Ok(9031),
        "expired: whoever comes first is not kept waiting for the look"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_when_the_keeper_is_dropped() {
    let kept = kept(&[Some(100), Some(100)]);
    assert_eq!(kept.bearer().await, Ok(0));
    assert!(!format!("{:?}", kept.keeper).contains("eyJ"));
    let asked = kept.asked.clone();
    drop(kept);
    advance(1000).await;
    assert_eq!(*asked.lock().unwrap(), [0]);
}
