# Reads tests/real/compatibility.list and then TAP; prints a table for each "table" line. See scripts/compatibility.

function trim(text) {
  gsub(/^ +| +$/, "", text)
  return text
}

# The verdict of one line for a column, "" when a test is not there; sets `note`.
function judged(line, column,    tests, n, i, at) {
  n = split(tests_of[line], tests, / [+] /)
  note = note_of[line]
  for (i = 1; i <= n; i++) {
    at = file_of[column] SUBSEP prefix_of[column] tests[i]
    if (!(at in result) || result[at] ~ /^missing/) return ""
    if (result[at] == "not ok") return "fails"
    if (result[at] != "ok") {
      note = result[at]
      return "impossible"
    }
  }
  return n ? verdict_of[line] : ""
}

# A cell of the table; the same reason has the same number everywhere.
function cell(capability, column,    line, verdict) {
  for (line = 1; line <= lines; line++) {
    if (capability_of[line] != capability || substr(key_of[column], 1, length(keys_of[line])) != keys_of[line]) continue
    verdict = judged(line, column)
    if (verdict == "") continue
    if (note == "") return verdict
    if (!(note in number_of)) {
      number_of[note] = ++notes
      notes_text[notes] = note
    }
    return verdict " [" number_of[note] "]"
  }
  return "not measured"
}

# Whether any column of the table has a test for it; where none has, the row is only in the first table.
function print_row(table, capability,    column, row, text, some) {
  row = "| " capability " |"
  for (column = first[table]; column <= last[table]; column++) {
    text = cell(capability, column)
    if (text != "not measured") some = 1
    row = row " " text " |"
  }
  if (some || table == 1) print row
}

function print_table(table,    column, i, title, rule) {
  title = "| " title_of[table] " |"
  rule = "|---|"
  for (column = first[table]; column <= last[table]; column++) {
    title = title " " heading_of[column] " |"
    rule = rule "---|"
  }
  print title "\n" rule
  for (i = 1; i <= capabilities; i++) print_row(table, capability_at[i])
  print ""
}

BEGIN { FS = " *[|] *" }

FNR == 1 {
  files++
  name = FILENAME
  sub(/.*\//, "", name)
  sub(/\.tap$/, "", name)
}

files == 1 && $1 == "table" {
  title_of[++tables] = trim($2)
  first[tables] = columns + 1
}
files == 1 && $1 == "column" {
  last[tables] = ++columns
  key_of[columns] = $2
  heading_of[columns] = $3
  file_of[columns] = $4
  prefix_of[columns] = trim($5) == "" ? "" : trim($5) " "
}
files == 1 && $1 == "measure" {
  capability_of[++lines] = $2
  keys_of[lines] = $3
  verdict_of[lines] = $4
  note_of[lines] = $5
  tests_of[lines] = trim($6)
  if (!known[$2]++) capability_at[++capabilities] = $2
}

files > 1 && /^(not )?ok / {
  text = $0
  passed = text ~ /^ok/ ? "ok" : "not ok"
  sub(/^(not )?ok [0-9]* ?/, "", text)
  skipped = text
  if (sub(/.* # skip */, "", skipped)) passed = skipped
  sub(/ # skip.*/, "", text)
  result[name SUBSEP text] = passed
  bare = text
  sub(/^[a-z]+: [a-z]+: /, "", bare)
  there[text] = there[bare] = 1
}

END {
  for (line = 1; line <= lines; line++) {
    n = split(tests_of[line], tests, / [+] /)
    for (i = 1; i <= n; i++)
      if (!(tests[i] in there) && !told[tests[i]]++) {
        print "compatibility: no test is called '" tests[i] "'" >"/dev/stderr"
        bad = 1
      }
  }
  if (bad) exit 1
  for (table = 1; table <= tables; table++) print_table(table)
  for (i = 1; i <= notes; i++) printf "%s[%d] %s", (i > 1 ? ";\n" : ""), i, notes_text[i]
  print "."
}
