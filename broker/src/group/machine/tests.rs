//! The machine's specification: scripts in prose with every outcome written out, and what must
//! hold after any history at all.
//!
//! `UPDATE_SCRIPTS=1 cargo test -p broker scripts` writes the outcomes as they are now; read the
//! difference before you commit it.

mod property;
mod replica;
mod script;

/// One test for each script in `scripts/`.
macro_rules! scripts {
    ($($name:ident)*) => {
        mod scripts {
            $(#[test]
            fn $name() {
                super::script::check(stringify!($name));
            })*

            #[test]
            fn every_script_is_run() {
                super::script::assert_all_listed(&[$(stringify!($name)),*]);
            }
        }
    };
}

scripts! {
    joining
    rebalancing
    syncing
    sessions
    leaving
    static_members
    limits
    committing
    fetching
    deleting
    expiring
    describing
    restarting
}
