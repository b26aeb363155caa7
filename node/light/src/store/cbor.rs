//! CBOR in which a list of bytes is a byte string.
//!
//! The group library derives the form of its values, and by that a key of 1,200 bytes is a list of 1,200 numbers, most of them
//! two bytes long. The tree of a large group is made of such keys: written so it was twice as large, and writing it took longer
//! than anything else in a commit. Readers of CBOR that know what they want (serde's) take either form, so this is a writer alone,
//! and what was written before stays readable.
//!
//! It writes what `ciborium` does, but for lists of which every element is a `u8`.

use core::fmt;

use serde::ser::{self, Impossible, Serialize};

/// Writes a value.
pub(super) fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    value.serialize(Writer(&mut out))?;
    Ok(out)
}

/// Why a value cannot be written; its own reason is of no use here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fault;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that has no form in CBOR")
    }
}

impl core::error::Error for Fault {}

impl ser::Error for Fault {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Major types (RFC 8949, section 3.1), in their place in the first byte.
const UNSIGNED: u8 = 0 << 5;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const LIST: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const FLOAT: u8 = 0xfb;
/// Of a list or map whose length was not said.
const OPEN: u8 = 31;
const END: u8 = 0xff;

struct Writer<'a>(&'a mut Vec<u8>);

impl<'a> Writer<'a> {
    fn head(&mut self, major: u8, number: u64) {
        let bytes = number.to_be_bytes();
        let [.., high, low] = bytes;
        let [_, _, _, _, quarter @ ..] = bytes;
        match number {
            0..=23 => self.0.push(major | low),
            24..=0xff => self.0.extend([major | 24, low]),
            0x100..=0xffff => self.0.extend([major | 25, high, low]),
            0x1_0000..=0xffff_ffff => {
                self.0.push(major | 26);
                self.0.extend(quarter);
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend(bytes);
            }
        }
    }

    fn sized(&mut self, major: u8, length: usize) -> Result<(), Fault> {
        self.head(major, u64::try_from(length).map_err(|_| Fault)?);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Fault> {
        self.sized(TEXT, text.len())?;
        self.0.extend(text.as_bytes());
        Ok(())
    }

    fn begin(mut self, major: u8, length: Option<usize>) -> Result<Several<'a>, Fault> {
        match length {
            Some(length) => self.sized(major, length)?,
            None => self.0.push(major | OPEN),
        }
        Ok(Several {
            out: self.0,
            is_open: length.is_none(),
        })
    }

    /// The name of a variant stands before what is in it.
    fn variant(mut self, name: &str) -> Result<Self, Fault> {
        self.head(MAP, 1);
        self.text(name)?;
        Ok(self)
    }
}

/// Numbers that fit into 64 bits, each written as one.
macro_rules! numbers {
    ($($name:ident: $type:ty => $as:ident),* $(,)?) => {
        $(fn $name(self, value: $type) -> Result<(), Fault> {
            self.$as(value.into())
        })*
    };
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = Several<'a>;
    type SerializeTupleVariant = Several<'a>;
    type SerializeMap = Several<'a>;
    type SerializeStruct = Several<'a>;
    type SerializeStructVariant = Several<'a>;

    numbers! {
        serialize_i8: i8 => serialize_i64, serialize_i16: i16 => serialize_i64, serialize_i32: i32 => serialize_i64,
        serialize_u8: u8 => serialize_u64, serialize_u16: u16 => serialize_u64, serialize_u32: u32 => serialize_u64,
        serialize_f32: f32 => serialize_f64,
    }

    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        self.0.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    fn serialize_i64(mut self, value: i64) -> Result<(), Fault> {
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            // -1 is written as 0, and so on down.
            Err(_) => self.head(NEGATIVE, value.unsigned_abs().saturating_sub(1)),
        }
        Ok(())
    }

    fn serialize_u64(mut self, value: u64) -> Result<(), Fault> {
        self.head(UNSIGNED, value);
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Fault> {
        self.0.push(FLOAT);
        self.0.extend(value.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(mut self, value: &str) -> Result<(), Fault> {
        self.text(value)
    }

    fn serialize_bytes(mut self, value: &[u8]) -> Result<(), Fault> {
        self.sized(BYTES, value.len())?;
        self.0.extend(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.0.push(NULL);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), Fault> {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Fault> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        value.serialize(self.variant(name)?)
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List<'a>, Fault> {
        Ok(List::Empty(self, length))
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'a>, Fault> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Several<'a>, Fault> {
        self.begin(LIST, Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<Several<'a>, Fault> {
        self.variant(name)?.begin(LIST, Some(length))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Several<'a>, Fault> {
        self.begin(MAP, length)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Several<'a>, Fault> {
        self.begin(MAP, Some(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        length: usize,
    ) -> Result<Several<'a>, Fault> {
        self.variant(name)?.begin(MAP, Some(length))
    }
}

/// A list or map that was begun.
struct Several<'a> {
    out: &'a mut Vec<u8>,
    is_open: bool,
}

impl Several<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        value.serialize(Writer(self.out))
    }

    fn finish(self) -> Result<(), Fault> {
        if self.is_open {
            self.out.push(END);
        }
        Ok(())
    }
}

/// A list: a byte string as long as nothing but bytes came.
enum List<'a> {
    Empty(Writer<'a>, Option<usize>),
    Bytes(Writer<'a>, Option<usize>, Vec<u8>),
    Values(Several<'a>),
    /// While one of the others becomes the next, and after a fault.
    Broken,
}

impl List<'_> {
    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let byte = match self {
            Self::Values(values) => return values.put(value),
            _ => value.serialize(Byte).ok(),
        };
        *self = match (core::mem::replace(self, Self::Broken), byte) {
            (Self::Empty(writer, length), Some(byte)) => {
                let mut bytes = Vec::with_capacity(length.unwrap_or(0));
                bytes.push(byte);
                Self::Bytes(writer, length, bytes)
            }
            (Self::Bytes(writer, length, mut bytes), Some(byte)) => {
                bytes.push(byte);
                Self::Bytes(writer, length, bytes)
            }
            (Self::Empty(writer, length), None) => {
                let mut values = writer.begin(LIST, length)?;
                values.put(value)?;
                Self::Values(values)
            }
            (Self::Bytes(writer, length, bytes), None) => {
                let mut values = writer.begin(LIST, length)?;
                for byte in bytes {
                    values.put(&byte)?;
                }
                values.put(value)?;
                Self::Values(values)
            }
            (Self::Values(_) | Self::Broken, _) => return Err(Fault),
        };
        Ok(())
    }

    fn finish(self) -> Result<(), Fault> {
        match self {
            Self::Empty(writer, length) => writer.begin(LIST, length)?.finish(),
            Self::Bytes(writer, _, bytes) => ser::Serializer::serialize_bytes(writer, &bytes),
            Self::Values(values) => values.finish(),
            Self::Broken => Err(Fault),
        }
    }
}

/// What serde calls the same thing by many names.
macro_rules! puts {
    ($type:ident: $($trait:ident, $name:ident);* $(;)?) => {
        $(impl ser::$trait for $type<'_> {
            type Ok = ();
            type Error = Fault;

            fn $name<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.put(value)
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        })*
    };
}

/// The same where each value has a name.
macro_rules! puts_named {
    ($($trait:ident),*) => {
        $(impl ser::$trait for Several<'_> {
            type Ok = ();
            type Error = Fault;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
                Writer(self.out).text(name)?;
                self.put(value)
            }

            fn end(self) -> Result<(), Fault> {
                self.finish()
            }
        })*
    };
}

puts!(List: SerializeSeq, serialize_element; SerializeTuple, serialize_element);
puts!(Several: SerializeTupleStruct, serialize_field; SerializeTupleVariant, serialize_field);
puts_named!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Several<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.put(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.put(value)
    }

    fn end(self) -> Result<(), Fault> {
        self.finish()
    }
}

/// Takes a `u8` and nothing else.
struct Byte;

/// Everything else, whatever it brings along.
macro_rules! no_byte {
    ($($name:ident($($type:ty),*) $(-> $out:ty)?;)*) => {
        $(fn $name(self $(, _: $type)*) -> Result<no_byte!(@ $($out)?), Fault> {
            Err(Fault)
        })*
    };
    (@) => { u8 };
    (@ $out:ty) => { $out };
}

type Never = Impossible<u8, Fault>;

impl ser::Serializer for Byte {
    type Ok = u8;
    type Error = Fault;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_u8(self, value: u8) -> Result<u8, Fault> {
        Ok(value)
    }

    no_byte! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<u8, Fault> {
        Err(Fault)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result<u8, Fault> {
        Err(Fault)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<u8, Fault> {
        Err(Fault)
    }
}

#[cfg(test)]
mod tests;
