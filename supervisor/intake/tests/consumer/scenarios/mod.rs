//! The rules one by one.

mod claiming;
mod dead_letters;
mod leaving;
mod lookup;
mod reconnecting;
mod stage;
