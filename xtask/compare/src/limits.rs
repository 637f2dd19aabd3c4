use feeway_stack::containers::gauge::{self, Reading};
use feeway_stack::up::word;

use super::figures::Figures;
use super::options::Part;
use super::turn::Side;

/// Prints how near the containers of both sides came to their limits in each part, over all
/// pairs. Returns whether Feeway's kept well within theirs; without containers there is nothing
/// to keep.
pub(super) fn print(figures: &Figures) -> bool {
    let mut met = true;
    for part in Part::IN_CONTAINERS {
        for side in [Side::Floor, Side::Feeway] {
            let runs = figures.of(part, side).iter();
            let readings = Reading::of_runs(runs.flat_map(|measured| &measured.readings));
            if readings.is_empty() {
                continue;
            }
            println!("\n{} {} in containers", word(part), side.name());
            gauge::print_table(&readings);
            // The floor is a yardstick; it promises nothing.
            if side == Side::Feeway {
                met &= gauge::print_goals(&readings);
            }
        }
    }
    met
}
