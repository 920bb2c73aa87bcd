//! Ids of `qwen3_5` where they are not the order in which tokens merge: a few tokens have a half with a higher id, and come
//! right behind that half (`cargo xtask vocabularies` prints them). The last of them begins with what it ends with, and so
//! a word that is repeated, `いっぱいいっぱいい`, has 2 tokens here and 3 by Qwen's own tokenizer; the only one that is known.

/// The place in the order and the id of each of these tokens, by place.
const MOVED: [(u32, u32); 31] = [
    (108_582, 99_655),
    (108_583, 106_200),
    (152_139, 150_146),
    (153_754, 151_741),
    (159_193, 156_065),
    (159_291, 152_935),
    (162_271, 157_289),
    (171_439, 152_515),
    (184_241, 161_562),
    (184_242, 180_511),
    (189_546, 178_377),
    (190_074, 157_094),
    (190_075, 188_580),
    (191_522, 153_190),
    (191_523, 170_272),
    (191_524, 184_069),
    (192_937, 167_809),
    (195_354, 179_846),
    (195_355, 180_860),
    (202_706, 173_947),
    (203_975, 160_972),
    (208_243, 188_501),
    (210_367, 156_516),
    (215_606, 171_852),
    (217_358, 201_119),
    (218_403, 198_811),
    (219_028, 155_537),
    (219_029, 172_003),
    (219_030, 188_571),
    (236_892, 200_050),
    (247_989, 206_716),
];

/// The id of the token at a place.
pub(super) fn id(place: u32) -> u32 {
    match MOVED.binary_search_by_key(&place, |moved| moved.0) {
        Ok(found) => MOVED[found].1,
        Err(before) => skip(place - u32::try_from(before).unwrap_or(0), MOVED.map(|moved| moved.1)),
    }
}

/// The place of the token with an id.
pub(super) fn place(id: u32) -> u32 {
    if let Some((place, _)) = MOVED.iter().find(|moved| moved.1 == id) {
        return *place;
    }
    let before = MOVED.iter().filter(|moved| moved.1 < id).count();
    skip(id - u32::try_from(before).unwrap_or(0), MOVED.map(|moved| moved.0))
}

/// The number so far among those that are not taken.
fn skip(mut number: u32, mut taken: [u32; MOVED.len()]) -> u32 {
    taken.sort_unstable();
    for taken in taken {
        number += u32::from(taken <= number);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::{MOVED, id, place};

    #[test]
    fn ids_and_places_are_each_others() {
        for (at, own) in MOVED {
            assert_eq!((id(at), place(own)), (own, at));
        }
        let mut ids: Vec<u32> = (0..248_044).map(id).collect();
        assert!((0..248_044).all(|at| place(ids[at as usize]) == at));
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..248_044));
    }
}
