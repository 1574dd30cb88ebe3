//! A wrapper for values that are written as an object or a table, never as a list.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};

/// A value that is written as an object or a table. Without this wrapper serde also accepts a list
/// of the fields in their order, and a new field would then change the meaning of such a list.
#[derive(Debug, Clone)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct OnlyAMap<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyAMap<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
            // The inner type reports best what it expects instead of a text.
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Object<T>, E> {
                T::deserialize(text.into_deserializer()).map(Object)
            }
        }
        deserializer.deserialize_map(OnlyAMap(PhantomData))
    }
}
