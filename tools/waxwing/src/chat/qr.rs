//! A link as a picture to be scanned: two modules of a QR code in each character cell, so that it fits a terminal.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

use crate::failure::Failure;
use crate::output::Output;

/// The picture, dark on light for any terminal; `None` if it is wider than the terminal.
///
/// # Errors
/// If the link is longer than any QR code.
pub(super) fn picture(link: &str, output: &Output) -> Result<Option<String>, Failure> {
    let code = QrCode::with_error_correction_level(link.as_bytes(), EcLevel::L).map_err(|error| {
        Failure::failed(format!(
            "the link does not fit a QR code ({error}): hand over the link itself"
        ))
    })?;
    let picture = if output.ascii {
        code.render::<char>()
            .quiet_zone(true)
            .module_dimensions(2, 1)
            .light_color('#')
            .dark_color(' ')
            .build()
    } else {
        // Light modules are drawn: most terminals are dark, and scanners want dark modules on a light ground.
        code.render::<Dense1x2>()
            .quiet_zone(true)
            .dark_color(Dense1x2::Light)
            .light_color(Dense1x2::Dark)
            .build()
    };
    let width = picture.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let fits = output.width().is_none_or(|columns| width <= columns);
    Ok(fits.then_some(picture))
}

/// The picture in half blocks, dark modules drawn as ink, for a screen that sets ink and ground itself; `None` if the link
/// is longer than any QR code.
pub(super) fn half_blocks(link: &str) -> Option<Vec<String>> {
    let code = QrCode::with_error_correction_level(link.as_bytes(), EcLevel::L).ok()?;
    let picture = code
        .render::<Dense1x2>()
        .quiet_zone(true)
        .dark_color(Dense1x2::Dark)
        .light_color(Dense1x2::Light)
        .build();
    Some(picture.lines().map(str::to_owned).collect())
}
