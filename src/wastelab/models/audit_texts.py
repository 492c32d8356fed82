"""What an audit says, by check: what was found, and what to do. Placeholders stand in braces."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "repeated_rows": (
        "{n} rows repeat an earlier row in every feature and in {target} ({expected} expected by chance).",
        "Delete the copies, or keep them as one mix: a random split puts one copy on each side and flatters every "
        "model.",
    ),
    "repeated_series": (
        "The whole series of results of {groups} mixes is listed more than once with the same values ({often}; {n} "
        "rows).",
        "Keep one of each, unless these are really different batches.",
    ),
    "copied_results": (
        "{n} results are exactly equal to that of the same mix at another age ({expected} expected by chance).",
        "Look the results up: a value may have been copied into another age's line.",
    ),
    "copied_series": (
        "Two different mixes have the same results at {times} ages.",
        "Look the results up: a series may have been copied to another mix.",
    ),
    "same_mix_two_names": (
        "{n} rows are the same mix in every feature but carry different names in '{column}' ({groups} mixes).",
        "Give them one name, or add the column in which they differ. As it is a mix would be on both sides of a split "
        "by '{column}'.",
    ),
    "same_mix_two_names.sources": (
        "{groups} mixes occur in more than one source ({n} rows) under different names in '{column}'.",
        "No error by itself. Validation by source takes the mix out of both only where it has one name.",
    ),
    "same_mix_two_names.nearly": (
        "{groups} pairs of mixes differ by less than {percent} % in every quantity but count as two ({n} rows).",
        "If they are one mix, give them one name in a column 'mix'; else a split tears them apart.",
    ),
    "one_name_two_mixes": (
        "'{column}' gives one name to different mixes ({groups} names, {n} rows): they differ in {columns}.",
        "Correct the quantity that is wrong, or give each mix a name of its own.",
    ),
    "too_smooth": (
        "{target} is too smooth to be test results: a {model} leaves {residual} {unit} (leave-one-out, {percent} % of "
        "the median; at most {upper} with 95 % confidence); tests scatter by at least {floor} {unit}.",
        "Ask where the numbers are from. They look computed by a fitted formula: no score on them says anything about "
        "tests.",
    ),
    "interpolated": (
        "{n} of {total} results lie on straight lines between others along '{column}': at {levels}. Such a level hits "
        "the line in {share} % of {lines} lines within {tolerance} {unit} ({chance} % expected by chance). What was "
        "tested seems to be {nodes}.",
        "Fit and score with the rows at the tested levels only: an interpolated row is a copy of its neighbours.",
    ),
    "typing_error": (
        "{row}: {target} reads {value} {unit} where {others} equal tests read about {median} ({z} standard "
        "deviations).{hint}",
        "Look the value up in the test record. Correct it, or leave the row out and say why.",
    ),
    "typing_error.pair": (
        "{row} and {other}: equal tests read {value} and {median} {unit} ({z} standard deviations).{hint}",
        "Look both up in the test record: one of them may be a typing error.",
    ),
    "equal_in_two_sources": (
        "Sources '{source}' and '{other}' report the same mix with (nearly) the same result in {matches} of "
        "{compared} cases: {values} {unit} (probability by chance {p}).",
        "They are probably the same tests listed twice: join the two sources, or keep one copy. Else validation by "
        "source leaks.",
    ),
    "noise_floor": (
        "Equal rows scatter by {sd} {unit} ({freedom} degrees of freedom, {groups} groups): no model that sees only "
        "these columns can have a smaller error for them, nor R2 above about {r2}.{without}",
        "Measure what differs between equal rows (batch, fineness, curing), if that is too much.",
    ),
    "specimen_scatter": (
        "Specimens of one test scatter by {sd} {unit} (pooled over {n} rows; means of them by {mean_sd}).",
        "Give a model these columns (sd=, n=): it can weigh good and poor means.",
    ),
    "falls_with_age": (
        "{target} falls with age by more than scatter explains in {groups} mixes: {worst}.",
        "Look the results up: ages or specimens may have been exchanged. Models that are monotone in age cannot "
        "follow.",
    ),
    "censored": (
        "{n} of {total} results are exactly {value} {unit}, the {end} of all ({expected} expected): the test cannot "
        "read beyond.",
        "Treat them as limits, not as values: leave them out of scores, or predict whether the limit is reached first.",
    ),
    "not_positive": (
        "{n} results of {target} are 0 or below.",
        "If the specimen failed or froze, say so in a column, or leave the row out; it is not a weak test.",
    ),
    "mass_closure": (
        "The quantities of {n} rows add up to more than {limit} kg/m3 (up to {worst}): they do not fit into 1 m3 "
        "unless the aggregate is heavy. Added up: {columns}.",
        "Check the quantities, or whether a column is a total of others.",
    ),
    "binder_sum": (
        "In {n} rows '{whole}' is not the sum of {columns}: {example}.",
        "A binder may be missing from the table: add its column, or correct the sum.",
    ),
    "binder_sum.other": (
        "'{whole}' is the sum of {columns} in only {share} % of the rows.",
        "Say what it is made of; a model will take it as a quantity of its own.",
    ),
    "percent_sum": (
        "In {n} rows {columns} do not add up to 100 %: {example}.",
        "A component may be missing from the table: add its column, or correct the values.",
    ),
    "oxide_sum": (
        "The oxides of {n} rows ({columns}) add up to more than 105 %: {example}.",
        "Check the values: a shifted column or a typing error. A composition cannot exceed 100 %.",
    ),
    "oxide_sum.low": (
        "The oxides of {n} rows ({columns}) add up to less than 95 %: {example}.",
        "Fill in loss on ignition and the minor oxides, or check the values.",
    ),
    "unit": (
        "'{column}' looks like {likely}, not {said}: {share} % of its values are outside {low} to {high} {said} and "
        "would be inside as {likely}.",
        "Correct the unit in the name of the column.",
    ),
    "unit.age": (
        "'{column}' looks like {likely}, not d: its values ({ages} …) are no usual ages in days, and all are "
        "in {likely}.",
        "Correct the unit in the name of the column, or the ages.",
    ),
    "unit.results": (
        "{n} results look as if they were in another unit ({likely}), or mistyped: they are about {factor} "
        "times what the others lead to expect ({example} {unit}).",
        "Look the values up. Convert them, or give them a column of their own: one unit a column.",
    ),
    "same_as_result": (
        "'{column}' says the same as {target}: correlation {r}.",
        "If it was measured on the same specimens, or computed from the result, leave it out "
        "(drop=['{column}']): it is not known before the test, and every score with it is too good.",
    ),
    "computed": (
        "The results of {mixes} mixes at {late} d are {ratio} times those at {early} d, to rounding.",
        "They look computed, not tested: leave one of the two ages out. A score on them is that of a multiplication.",
    ),
    "implausible_value": (
        "'{column}': {example} is outside what is usual ({low} to {high} {said}).{hint}",
        "Check the value and its method (a BET area is not a Blaine fineness).",
    ),
    "negative_quantity": (
        "'{column}' is negative in {n} rows (lowest {value}).",
        "Correct the value: a quantity cannot be below 0.",
    ),
    "constant_column": (
        "Columns that never change: {columns}.",
        "Leave them out; a model knows nothing about other values than the one it has seen.",
    ),
    "empty_column": (
        "Columns without any value: {columns}.",
        "Leave them out, or measure them.",
    ),
    "missing_values": (
        "Columns with empty cells: {columns} ({share} % of all their cells).",
        "Nothing needs to be done: what is missing is kept as missing. Fill in what is known.",
    ),
    "collinear": (
        "These columns say the same: {columns} ({levels} different values).",
        "Their effects cannot be told apart with these tests; keep the one you can explain, or test mixes that "
        "separate them.",
    ),
    "linear_dependence": (
        "The columns of numbers are linearly dependent: {rank} independent ones of {total}. E.g. {columns}.",
        "Importances of such columns are arbitrary among them. Shares that add up to a whole are such a case.",
    ),
    "id_column": (
        "'{column}' has another value in each row and {how}: it counts rows and describes nothing.",
        "Leave it out (drop=['{column}']): a model can read the order of the table out of it.",
    ),
    "few_mixes": (
        "Only {mixes} different mixes.",
        "Test more: below 10 a score is rough, below 5 there is none.",
    ),
    "few_sources": (
        "Only {sources} sources.",
        "A score for a new source rests on as many cases. Add tests of other laboratories or heaps.",
    ),
    "one_source_dominates": (
        "{share} % of the rows are from source '{source}'.",
        "Weigh sources, or report that source apart: the others hardly count in a pooled score.",
    ),
    "leak_mix": (
        "{folds} of {total} folds test mixes that they are also fitted to ({n} rows).",
        "Split by mix (wastelab.models.validation.protocol_splits): such a score is too good.",
    ),
    "leak_copy": (
        "{folds} of {total} folds test rows whose composition they are also fitted to under another name ({n} rows).",
        "Give equal compositions one name, or split by composition.",
    ),
    "leak_source": (
        "{folds} of {total} folds test sources that they are also fitted to ({n} rows).",
        "No error for a score of new mixes; it is none for a new source.",
    ),
}
