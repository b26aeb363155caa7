//! Values in TOML, variables and flags, and back. What is refused is refused with what would be allowed.
//!
//! Variables and flags are texts, so wherever the file has a number or a list, a text that says the same is taken too.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use toml::Value;
use waxwing_core::Hash;
use waxwing_core::policy::PinnedHead;

use crate::address::{NodeAddress, parse_hex};

pub(super) fn number(value: &Value, range: RangeInclusive<u64>) -> Result<u64, String> {
    let number = match value {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("a whole number from {} to {}", range.start(), range.end()))
}

pub(super) fn line(value: &Value, bytes_max: usize) -> Result<String, String> {
    let text = value.as_str().filter(|text| text.len() <= bytes_max);
    text.filter(|text| !text.chars().any(char::is_control))
        .map(str::to_owned)
        .ok_or_else(|| format!("a line of text of at most {bytes_max} bytes"))
}

pub(super) fn choice<T: Copy>(value: &Value, choices: &[(&str, T)]) -> Result<T, String> {
    let text = value.as_str().map(str::trim);
    let found = choices.iter().find(|(name, _)| Some(*name) == text);
    found.map(|(_, choice)| *choice).ok_or_else(|| {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
        format!("one of {}", names.join(", "))
    })
}

pub(super) fn address(value: &Value) -> Result<SocketAddr, String> {
    let parsed = value.as_str().and_then(|text| text.trim().parse().ok());
    parsed.ok_or_else(|| "an IP address and a port, as \"0.0.0.0:4040\" or \"[::]:4040\"".to_owned())
}

/// Health and metrics tell strangers too much, so they stay on the machine.
pub(super) fn http(value: &Value) -> Result<Option<SocketAddr>, String> {
    if value.as_str().map(str::trim) == Some("off") {
        return Ok(None);
    }
    address(value)
        .ok()
        .filter(|address| address.ip().is_loopback())
        .map(Some)
        .ok_or_else(|| "a loopback address and a port, as \"127.0.0.1:4041\", or \"off\"".to_owned())
}

pub(super) fn addresses(value: &Value) -> Result<Vec<NodeAddress>, String> {
    let texts: Option<Vec<&str>> = match value {
        Value::Array(values) => values.iter().map(Value::as_str).collect(),
        Value::String(text) => Some(text.split(',').filter(|part| !part.trim().is_empty()).collect()),
        _ => None,
    };
    let texts = texts.ok_or_else(|| "a list of addresses, each \"<key>@<host>:<port>\"".to_owned())?;
    let parse = |text: &str| {
        text.parse()
            .map_err(|error| format!("a list of addresses; {text:?} is none: {error}"))
    };
    texts.into_iter().map(parse).collect()
}

/// Nothing, or a block: its height, and its id in hexadecimal digits.
pub(super) fn pin(value: &Value) -> Result<Option<PinnedHead>, String> {
    let text = value.as_str().map(str::trim);
    if text == Some("") {
        return Ok(None);
    }
    let read = |text: &str| {
        let (height, id) = text.split_once(':')?;
        let height = height.parse().ok().filter(|height| *height > 0)?;
        let id = parse_hex(id).map(Hash)?;
        Some(PinnedHead { height, id })
    };
    text.and_then(read)
        .map(Some)
        .ok_or_else(|| "a block, as <height>:<64 hexadecimal digits>, its height above 0".to_owned())
}

pub(super) fn show_pin(pin: Option<PinnedHead>) -> String {
    show_line(&pin.map_or_else(String::new, |pin| format!("{}:{}", pin.height, pin.id)))
}

pub(super) fn show_address(address: SocketAddr) -> String {
    show_line(&address.to_string())
}

pub(super) fn show_http(http: Option<SocketAddr>) -> String {
    http.map_or_else(|| show_line("off"), show_address)
}

pub(super) fn show_addresses(addresses: &[NodeAddress]) -> String {
    let texts: Vec<Value> = addresses
        .iter()
        .map(|address| Value::from(address.to_string()))
        .collect();
    Value::Array(texts).to_string()
}

/// As TOML, quoted.
pub(super) fn show_line(text: &str) -> String {
    Value::from(text).to_string()
}
