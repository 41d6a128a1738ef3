//! All cameras' parts of a take, and from when to when it lasts. It reads only.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use syncslate_shared::take::TakeId;

use crate::footage::{self, Footage};
use crate::heavy::Weight;
use crate::plan::Span;
use crate::rate::Rate;

/// A camera's part, or why it cannot be used.
pub(crate) type Part = (Ipv4Addr, Result<Arc<Footage>, String>);

/// Reads all parts of the take in `folder`, by address.
///
/// # Errors
/// There is none.
pub(crate) fn read(folder: &Path, id: &TakeId) -> Result<Vec<Part>, String> {
    let nodes = footage::nodes(folder, id);
    if nodes.is_empty() {
        return Err(format!("there is no file of the take {id} in {}", folder.display()));
    }
    let part = |ip| {
        let read = footage::read(folder, id, ip);
        let empty = || Err("it has no frames of the take".to_owned());
        (ip, read.and_then(|footage| if footage.rows.is_empty() { empty() } else { Ok(Arc::new(footage)) }))
    };
    Ok(nodes.into_iter().map(part).collect())
}

/// From T0 to T1 by the manifests; without a T1, because no node has heard the end, to the last frame.
///
/// # Errors
/// No part can be used, or it has no length.
pub(crate) fn span(parts: &[Part], id: &TakeId) -> Result<Span, String> {
    let known: Vec<&Footage> = parts.iter().filter_map(|(_, part)| part.as_deref().ok()).collect();
    let Some(first) = known.first() else {
        let why: Vec<_> =
            parts.iter().filter_map(|(ip, part)| Some(format!("{ip}: {}", part.as_ref().err()?))).collect();
        return Err(format!("no camera of the take {id} can be exported: {}", why.join("; ")));
    };
    let last = |footage: &&Footage| footage.rows.last().map(|row| row.time.offset_us(footage.period_us as i64));
    let t0 = first.manifest.t0;
    let t1 = known.iter().find_map(|footage| footage.manifest.t1);
    let t1 = t1.or_else(|| known.iter().filter_map(last).max()).filter(|t1| *t1 > t0);
    Ok(Span { t0, t1: t1.ok_or_else(|| format!("the take {id} has no frame after its T0"))? })
}

/// What people call a camera, also one whose table cannot be used, as long as its manifest can be read.
pub(crate) fn name(folder: &Path, id: &TakeId, (ip, part): &Part) -> String {
    let part = part.as_deref().ok().map(Footage::name);
    let told = || footage::manifest(folder, id, *ip).ok().map(|manifest| manifest.name);
    part.or_else(told).filter(|name| !name.is_empty()).unwrap_or_else(|| ip.to_string())
}

/// What the parts' films ask for.
pub(crate) fn weights(parts: &[Part], span: Span) -> Vec<Weight> {
    let weight = |part: &Footage| {
        let bytes: u64 = part.rows.iter().map(|row| row.bytes).sum();
        let fps = part.rate.map_or(0.0, Rate::fps);
        Weight { size: size(part).unwrap_or_default(), fps, bits_s: bytes as f64 * 8e6 / span.us() as f64 }
    };
    parts.iter().filter_map(|(_, part)| Some(weight(part.as_ref().ok()?))).collect()
}

/// The pictures' width and height as the camera told them.
pub(crate) fn size(part: &Footage) -> Option<(u16, u16)> {
    let camera = part.manifest.camera.as_ref()?;
    Some((camera.width.try_into().ok()?, camera.height.try_into().ok()?))
}
