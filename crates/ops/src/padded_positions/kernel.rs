//! Positions that skip padding by its id and start after it.

use formwork_tensor::{Context, Ids, Tokens};

/// The position of each new token: `padding` at padding, else counted from `padding + 1`.
///
/// Of earlier steps only the number of valid tokens is known; they count as text.
pub fn padded_positions(_ctx: &Context, tokens: &Tokens, padding: usize) -> Ids {
    let padding = padding as u32;
    let mut positions = tokens.ids.clone();
    let first = tokens.positions.data();
    for text in tokens.texts() {
        let mut count = if tokens.past == 0 { 0 } else { first[text.start] };
        for id in &mut positions.data_mut()[text] {
            let is_text = *id != padding;
            count += u32::from(is_text);
            *id = if is_text { padding + count } else { padding };
        }
    }
    positions
}

#[cfg(test)]
mod tests {
    use formwork_tensor::Simd;

    use super::*;

    #[test]
    fn padding_keeps_its_own_position() {
        let ids = Ids::new(vec![5, 1, 6, 7, 1, 1, 8, 9], 2).unwrap();
        let tokens = Tokens::new(ids, 0, None).unwrap();
        let positions = padded_positions(&Context::with(1, Simd::PORTABLE), &tokens, 1);
        assert_eq!(positions.data(), [2, 1, 3, 4, 1, 1, 2, 3]);
    }

    #[test]
    fn packed_texts_count_anew() {
        let tokens = Tokens::packed(Ids::new(vec![5, 6, 7, 8], 1).unwrap(), &[3, 1]).unwrap();
        let positions = padded_positions(&Context::with(1, Simd::PORTABLE), &tokens, 1);
        assert_eq!(positions.data(), [2, 3, 4, 2]);
    }

    #[test]
    fn a_later_step_goes_on_counting() {
        let tokens = Tokens::new(Ids::new(vec![5, 6], 1).unwrap(), 3, None).unwrap();
        let positions = padded_positions(&Context::with(1, Simd::PORTABLE), &tokens, 1);
        assert_eq!(positions.data(), [5, 6]);
    }
}
