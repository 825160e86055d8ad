//! A chart of a run: for each database, what the ways of capture cost in a transaction.

use std::path::Path as File;

use plotters::prelude::*;

use crate::BoxError;
use crate::operation::Operation;
use crate::path::{Kind, Path};
use crate::results::{DatabaseRun, Run};

const OPERATIONS: [Operation; 5] = [
    Operation::Insert,
    Operation::Update,
    Operation::Delete,
    Operation::Inserts,
    Operation::Updates,
];

/// Colours that remain distinct without red and green (Okabe and Ito, 2008).
const BARS: [(Path, RGBColor); 4] = [
    (Path::Manual, RGBColor(153, 153, 153)),
    (Path::Hooks, RGBColor(230, 159, 0)),
    (Path::Connection, RGBColor(0, 114, 178)),
    (Path::Trigger, RGBColor(0, 158, 115)),
];

const WIDTH: u32 = 900;
const HEIGHT: u32 = 240;
/// The width of a bar, where two operations are 1 apart.
const BAR: f64 = 0.19;

/// Draws a panel for each database.
pub(crate) fn draw(run: &Run, file: &File) -> Result<(), BoxError> {
    let panels = u32::try_from(run.databases.len())?.max(1);
    let area = SVGBackend::new(file, (WIDTH, HEIGHT * panels)).into_drawing_area();
    area.fill(&WHITE)?;
    let panels = area.split_evenly((run.databases.len().max(1), 1));
    for (database, panel) in run.databases.iter().zip(&panels) {
        draw_panel(database, panel)?;
    }
    area.present()?;
    Ok(())
}

fn draw_panel(
    run: &DatabaseRun,
    panel: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), BoxError> {
    let ratio = |operation: Operation, path: Path| {
        run.cell(operation.name(), Kind::Transaction.name(), path.name())
            .map(|cell| cell.ratio.median)
    };
    let highest = (OPERATIONS.iter())
        .flat_map(|operation| BARS.map(|(path, _)| ratio(*operation, path)))
        .flatten()
        .fold(2.0, f64::max);
    let groups = u32::try_from(OPERATIONS.len())?;
    let mut chart = ChartBuilder::on(panel)
        .margin(8)
        .caption(
            format!("{}: time in a transaction, bare SeaORM = 1", run.name),
            ("sans-serif", 16),
        )
        .x_label_area_size(24)
        .y_label_area_size(40)
        .build_cartesian_2d(-0.5..f64::from(groups) - 0.5, 0.0..highest * 1.1)?;
    let name = |x: &f64| {
        let is_middle = (x - x.round()).abs() < 1e-6;
        let group = OPERATIONS
            .iter()
            .zip(0_u32..)
            .find(|(_, at)| (f64::from(*at) - x).abs() < 0.5);
        match group {
            Some((operation, _)) if is_middle => operation.name().to_owned(),
            _ => String::new(),
        }
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(OPERATIONS.len() * 2)
        .x_label_formatter(&name)
        .y_label_formatter(&|y: &f64| format!("{y:.1}"))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for ((path, colour), place) in BARS.into_iter().zip(0_u32..) {
        let bars = OPERATIONS
            .iter()
            .zip(0_u32..)
            .filter_map(|(operation, group)| {
                let left = f64::from(group) - BAR * 2.0 + f64::from(place) * BAR;
                let height = ratio(*operation, path)?;
                Some(Rectangle::new(
                    [(left, 0.0), (left + BAR * 0.9, height)],
                    colour.filled(),
                ))
            });
        chart
            .draw_series(bars)?
            .label(path.name())
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(TRANSPARENT)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Cell, Ratio};

    #[test]
    fn chart_has_a_bar_for_each_measurement() -> Result<(), BoxError> {
        let cell = |operation: Operation, path: Path| Cell {
            operation: operation.name().to_owned(),
            kind: Kind::Transaction.name().to_owned(),
            path: path.name().to_owned(),
            micros: 1.0,
            ratio: Ratio {
                median: 1.5,
                low: 1.0,
                high: 2.0,
            },
            statements: 1,
        };
        let cells: Vec<Cell> = (OPERATIONS.iter())
            .flat_map(|operation| BARS.map(|(path, _)| cell(*operation, path)))
            .collect();
        let run = |cells| Run {
            databases: vec![DatabaseRun {
                name: "SQLite".to_owned(),
                rounds: 1,
                durability: String::new(),
                bytes_per_row: 1.0,
                cells,
            }],
        };
        let file = std::env::temp_dir().join(format!("audit-bench-{}.svg", std::process::id()));
        let mut bars = Vec::new();
        for run in [run(cells), run(Vec::new())] {
            draw(&run, &file)?;
            bars.push(std::fs::read_to_string(&file)?.matches("<rect").count());
        }
        std::fs::remove_file(&file)?;
        assert_eq!(bars[0] - bars[1], OPERATIONS.len() * BARS.len());
        Ok(())
    }
}
