//! Medians of alternating runs.

/// Runs that a median is taken of, unless told otherwise: odd, and enough to pass over two disturbed ones.
pub const RUNS: u16 = 5;

/// The middle value; of an even number of values, the mean of the two in the middle.
///
/// # Panics
/// If there are no values.
pub fn median(mut values: Vec<f64>) -> f64 {
    assert!(!values.is_empty(), "a median of nothing");
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}

/// Medians of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Medians {
    /// The floor's.
    pub floor: f64,
    /// Ours.
    pub ours: f64,
}

/// Measures floor, ours, floor, ours, …, so that what disturbs the machine for a while disturbs both. Either is
/// told the number of the run, from 0.
///
/// # Errors
/// The first error of either.
///
/// # Panics
/// If `runs` is zero.
pub async fn alternate<E>(
    runs: usize,
    mut floor: impl AsyncFnMut(usize) -> Result<f64, E>,
    mut ours: impl AsyncFnMut(usize) -> Result<f64, E>,
) -> Result<Medians, E> {
    let (mut floors, mut values) = (Vec::new(), Vec::new());
    for run in 0..runs {
        floors.push(floor(run).await?);
        values.push(ours(run).await?);
    }
    Ok(Medians { floor: median(floors), ours: median(values) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0]), 3.0);
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median(vec![1.0, 1000.0, 2.0, 3.0, 2.0]), 2.0);
    }

    #[tokio::test]
    async fn floor_and_ours_take_turns() {
        let order = RefCell::new(Vec::new());
        let measure = async |name: &'static str, run: usize, value: f64| {
            order.borrow_mut().push((name, run));
            Ok::<_, ()>(value)
        };
        let floors = [3.0, 1.0, 2.0];
        let ours = [30.0, 10.0, 60.0];
        let medians = alternate(
            3,
            async |run| measure("floor", run, floors[run]).await,
            async |run| measure("ours", run, ours[run]).await,
        );
        assert_eq!(medians.await, Ok(Medians { floor: 2.0, ours: 30.0 }));
        let expected = (0..3).flat_map(|run| [("floor", run), ("ours", run)]).collect::<Vec<_>>();
        assert_eq!(order.into_inner(), expected);
    }

    #[tokio::test]
    async fn the_first_error_ends_it() {
        let result = alternate(5, async |_| Ok(1.0), async |run| if run == 1 { Err(run) } else { Ok(1.0) });
        assert_eq!(result.await, Err(1));
    }
}
