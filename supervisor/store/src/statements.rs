//! Lists the statements of an adapter, each in a file of its own beside the list.

/// Defines a constant for each statement, and `ALL` of them. The files are looked for beside the file that lists them.
/// Those of statistics, of what is told to webhooks, of what ended and of lists are in folders of their own, and each file there is
/// what differs between them.
macro_rules! statements {
    (
        $($name:ident = $file:literal,)*;
        statistics { $($counted:ident = $of:literal,)* }
        told { $($told:ident = $ending:literal,)* }
        ended { $($ended:ident = $narrowed:literal,)* }
        lists { $($list:ident = $part:literal,)* }
    ) => {
        $(pub(super) const $name: &str = include_str!(concat!("sql/", $file, ".sql"));)*

        $(pub(super) const $counted: &str = concat!(
            include_str!("sql/statistics/begin.sql"),
            include_str!(concat!("sql/statistics/", $of, ".sql")),
            include_str!("sql/statistics/end.sql"),
        );)*

        $(pub(super) const $told: &str = concat!(
            include_str!(concat!("sql/told/", $ending, ".sql")),
            include_str!("sql/told/end.sql"),
        );)*

        $(pub(super) const $ended: &str = concat!(
            include_str!("sql/ended/begin.sql"),
            include_str!(concat!("sql/ended/", $narrowed, ".sql")),
            include_str!("sql/ended/end.sql"),
        );)*

        $(pub(super) const $list: &str = concat!(
            include_str!("sql/list/begin.sql"),
            include_str!(concat!("sql/list/", $part, ".sql")),
            include_str!("sql/list/end.sql"),
        );)*

        /// All of them, by the names of their files.
        pub(super) const ALL: &[(&str, &str)] =
            &[
                $(($file, $name),)*
                $((concat!("statistics/", $of), $counted),)*
                $((concat!("told/", $ending), $told),)*
                $((concat!("ended/", $narrowed), $ended),)*
                $((concat!("list/", $part), $list)),*
            ];

        /// The statement of what ended in this scope.
        pub(super) const fn ended(scope: &$crate::retention::PruneScope) -> &'static str {
            use $crate::retention::PruneScope;
            match scope {
                PruneScope::Everything => ENDED,
                PruneScope::Workflow(_) => ENDED_OF_WORKFLOW,
                PruneScope::Nameless => ENDED_NAMELESS,
            }
        }

        /// The statement of the list of these executions.
        pub(super) const fn list(listing: $crate::listing::Listing) -> &'static str {
            use $crate::listing::Listing;
            match listing {
                Listing::Status => LIST_BY_STATUS,
                Listing::Workflow => LIST_BY_WORKFLOW,
                Listing::Organization => LIST_BY_ORGANIZATION,
                Listing::OrganizationWorkflow => LIST_BY_ORGANIZATION_WORKFLOW,
                Listing::Error => LIST_BY_ERROR,
                Listing::WorkflowError => LIST_BY_WORKFLOW_ERROR,
                Listing::OrganizationError => LIST_BY_ORGANIZATION_ERROR,
                Listing::OrganizationWorkflowError => LIST_BY_ORGANIZATION_WORKFLOW_ERROR,
            }
        }
    };
}

pub(crate) use statements;
