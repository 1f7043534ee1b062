//! XOR with a frame's masking key (RFC 6455 section 5.3).

/// Masks or unmasks `data`, whose first byte is `phase` bytes (mod 4) into the frame's payload.
pub(crate) fn apply(data: &mut [u8], key: [u8; 4], phase: u8) {
    let wide = wide(key, phase);
    // Fixed-size lanes: the compiler makes vector instructions of them.
    let (lanes, rest) = data.as_chunks_mut::<32>();
    for lane in lanes {
        for (byte, key) in lane.iter_mut().zip(&wide) {
            *byte ^= key;
        }
    }
    for (byte, key) in rest.iter_mut().zip(&wide) {
        *byte ^= key;
    }
}

/// The same of `from` into `into`, which is as long: one pass instead of a copy and a mask.
pub(crate) fn copy(from: &[u8], into: &mut [u8], key: [u8; 4], phase: u8) {
    debug_assert_eq!(from.len(), into.len());
    let wide = wide(key, phase);
    let ((lanes, rest), (into_lanes, into_rest)) = (from.as_chunks::<32>(), into.as_chunks_mut::<32>());
    for (lane, into) in lanes.iter().zip(into_lanes) {
        for ((into, byte), key) in into.iter_mut().zip(lane).zip(&wide) {
            *into = byte ^ key;
        }
    }
    for ((into, byte), key) in into_rest.iter_mut().zip(rest).zip(&wide) {
        *into = byte ^ key;
    }
}

/// The key, turned to the phase, as often as it goes into a vector register.
fn wide(key: [u8; 4], phase: u8) -> [u8; 32] {
    let mut turned = key;
    turned.rotate_left(usize::from(phase % 4));
    let mut wide = [0; 32];
    for lane in wide.chunks_exact_mut(4) {
        lane.copy_from_slice(&turned);
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_phase_agrees_with_the_definition() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..100 {
            for phase in 0..8u8 {
                let plain: Vec<u8> = (0..len).map(|i| i as u8).collect();
                let defined: Vec<u8> =
                    plain.iter().enumerate().map(|(i, b)| b ^ key[(i + usize::from(phase)) % 4]).collect();
                let mut masked = plain.clone();
                apply(&mut masked, key, phase);
                assert_eq!(masked, defined, "{len} bytes at phase {phase}");
                let mut copied = vec![0; len];
                copy(&plain, &mut copied, key, phase);
                assert_eq!(copied, defined, "{len} bytes copied at phase {phase}");
            }
        }
    }
}
