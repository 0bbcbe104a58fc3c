"""Every rule, in one tuple: to add one, write its file and name it here."""

from __future__ import annotations

from checks.finding import Rule
from checks.rules import (
    column_dropped,
    column_renamed,
    column_type_change,
    constraint_not_valid_first,
    copy_program,
    data_change_without_where,
    function_replaced,
    function_security_definer,
    function_untrusted_language,
    index_concurrently_if_not_exists,
    index_not_concurrent,
    index_unnamed_concurrently,
    mixed_transaction,
    privileges_broad,
    session_role_change,
    set_not_null_scan,
    setting_not_listed,
    table_dropped,
    timeout_raised,
    transaction_control,
    unparsable_sql,
    verify_writes,
)

RULES: tuple[Rule, ...] = (
    mixed_transaction.RULE,
    transaction_control.RULE,
    index_not_concurrent.RULE,
    index_concurrently_if_not_exists.RULE,
    index_unnamed_concurrently.RULE,
    column_type_change.RULE,
    set_not_null_scan.RULE,
    column_dropped.RULE,
    table_dropped.RULE,
    constraint_not_valid_first.RULE,
    column_renamed.RULE,
    data_change_without_where.RULE,
    session_role_change.RULE,
    copy_program.RULE,
    timeout_raised.RULE,
    setting_not_listed.RULE,
    privileges_broad.RULE,
    function_replaced.RULE,
    function_security_definer.RULE,
    function_untrusted_language.RULE,
)

# Asked of verify scripts too, and of no other.
VERIFY_RULES: tuple[Rule, ...] = (verify_writes.RULE,)

# Has a text and a page like a rule, but is found by the report when there is no script to ask rules about.
UNPARSABLE: Rule = unparsable_sql.RULE
