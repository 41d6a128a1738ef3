//! The node: a camera computer that records what the take says.

pub mod camera;
pub mod decode;
pub mod ivf;
pub mod picture;
