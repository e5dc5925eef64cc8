//! Every tree up to some size, every proof in it, and every way in which a proof can be false.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn leaf(number: u64) -> Hash {
    Hash::of_leaf(&number.to_be_bytes())
}

/// The definition of RFC 6962, section 2.1, word for word.
fn defined(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [leaf] => *leaf,
        _ => {
            let (left, right) =
                leaves.split_at(usize::try_from(split(leaves.len() as u64)).unwrap());
            Hash::of_node(defined(left), defined(right))
        }
    }
}

/// Every complete subtree of the tree of this size, and its root.
fn grown(size: u64) -> (HashMap<Place, Hash>, Hash) {
    let (mut places, mut edge) = (HashMap::new(), Edge::default());
    for number in 0..size {
        edge.push(leaf(number), |place, hash| assert_eq!(places.insert(place, hash), None));
    }
    (places, edge.root())
}

fn root_of(size: u64) -> Hash {
    defined(&(0..size).map(leaf).collect::<Vec<_>>())
}

const MOST: u64 = 40;

#[test]
fn a_root_is_what_the_definition_says() {
    for size in 0..=MOST {
        assert_eq!(grown(size).1, root_of(size), "{size}");
    }
    // RFC 9162's and every log's empty tree
    assert_eq!(Hash::of_nothing().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

#[test]
fn an_older_root_is_made_of_places_of_a_younger_tree() {
    let (places, _) = grown(MOST);
    for size in 0..=MOST {
        let hashes: Vec<Hash> = places_of_root(size).iter().map(|place| places[place]).collect();
        assert_eq!(joined(&hashes), root_of(size), "{size}");
    }
}

#[test]
fn each_leaf_is_proven_to_be_in_each_tree() {
    let (places, _) = grown(MOST);
    for size in 1..=MOST {
        let root = root_of(size);
        for index in 0..size {
            let outline = Outline::of_inclusion(index, size).unwrap();
            let proof = outline.filled(|place| places.get(&place).copied()).unwrap();
            assert_eq!(verify_inclusion(leaf(index), index, size, &proof, root), Ok(()));
            for (false_index, false_size) in
                [(index ^ 1, size), (index, size + 1), (index, size - 1), (index + 1, size)]
            {
                let found = verify_inclusion(leaf(index), false_index, false_size, &proof, root);
                // one path serves two sizes where the larger one only changes what is beyond it
                if (false_index, false_size) != (index, size) && false_index != index {
                    assert!(found.is_err(), "{index}/{size} as {false_index}/{false_size}");
                }
            }
            for place in 0..proof.len() {
                let mut shorter = proof.clone();
                shorter.remove(place);
                assert!(verify_inclusion(leaf(index), index, size, &shorter, root).is_err());
                let mut changed = proof.clone();
                changed[place].0[7] ^= 1;
                let found = verify_inclusion(leaf(index), index, size, &changed, root);
                assert_eq!(found, Err(Unproven::Root));
            }
            let longer = [proof.as_slice(), &[root]].concat();
            assert!(verify_inclusion(leaf(index), index, size, &longer, root).is_err());
        }
    }
}

#[test]
fn each_tree_is_proven_to_begin_each_larger_one() {
    let (places, _) = grown(MOST);
    for to in 0..=MOST {
        for from in 0..=to {
            let outline = Outline::of_consistency(from, to).unwrap();
            let proof = outline.filled(|place| places.get(&place).copied()).unwrap();
            let (old, new) = ((from, root_of(from)), (to, root_of(to)));
            assert_eq!(verify_consistency(old, new, &proof), Ok(()), "{from} {to}");
            let mut forked = root_of(to);
            forked.0[0] ^= 1;
            assert!(verify_consistency(old, (to, forked), &proof).is_err() || from == 0);
            let mut forked = root_of(from);
            forked.0[0] ^= 1;
            assert!(verify_consistency((from, forked), new, &proof).is_err());
            for place in 0..proof.len() {
                let mut shorter = proof.clone();
                shorter.remove(place);
                assert!(verify_consistency(old, new, &shorter).is_err());
                let mut changed = proof.clone();
                changed[place].0[31] ^= 128;
                assert!(verify_consistency(old, new, &changed).is_err());
            }
            let longer = [proof.as_slice(), &[new.1]].concat();
            assert!(verify_consistency(old, new, &longer).is_err());
            if from < to && from > 0 {
                assert!(verify_consistency(new, old, &proof).is_err());
            }
        }
    }
}

#[test]
fn an_inner_node_is_no_leaf() {
    let (left, right) = (leaf(0), leaf(1));
    let node = Hash::of_node(left, right);
    let both = [left.0, right.0].concat();
    assert_ne!(Hash::of_leaf(&both), node);
    assert_eq!(verify_inclusion(Hash::of_leaf(&both), 0, 1, &[], node), Err(Unproven::Root));
}

#[test]
fn what_is_out_of_range_is_refused() {
    let (hash, root) = (leaf(0), leaf(0));
    assert_eq!(verify_inclusion(hash, 0, 1, &[], root), Ok(()));
    assert_eq!(verify_inclusion(hash, 0, 0, &[], root), Err(Unproven::OutOfRange));
    assert_eq!(verify_inclusion(hash, 1, 1, &[], root), Err(Unproven::OutOfRange));
    assert_eq!(verify_inclusion(hash, 1 << 63, 1, &[], root), Err(Unproven::OutOfRange));
    let long = [root; 65];
    assert_eq!(verify_inclusion(hash, 0, u64::MAX, &long, root), Err(Unproven::Length));
    assert!(verify_inclusion(hash, u64::MAX - 1, u64::MAX, &long[..64], root).is_err());
    assert_eq!(Outline::of_inclusion(1, 1), None);
    assert_eq!(Outline::of_consistency(2, 1), None);
    let empty = (0, Hash::of_nothing());
    assert_eq!(verify_consistency(empty, (1, root), &[]), Ok(()));
    assert_eq!(verify_consistency((0, root), (1, root), &[]), Err(Unproven::Root));
    assert!(verify_consistency((1, root), (u64::MAX, root), &long).is_err());
}

proptest! {
    #[test]
    fn proofs_hold_in_larger_trees(to in 1_u64..3000, part in 0.0..1.0_f64) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss,
            clippy::cast_precision_loss, reason = "any place will do")]
        let index = ((to as f64 * part) as u64).min(to - 1);
        let (places, root) = grown(to);
        let at = |place: Place| places.get(&place).copied();
        let proof = Outline::of_inclusion(index, to).unwrap().filled(at).unwrap();
        prop_assert_eq!(verify_inclusion(leaf(index), index, to, &proof, root), Ok(()));
        let proof = Outline::of_consistency(index, to).unwrap().filled(at).unwrap();
        let old = joined(&places_of_root(index).iter().map(|it| places[it]).collect::<Vec<_>>());
        prop_assert_eq!(verify_consistency((index, old), (to, root), &proof), Ok(()));
    }
}
