#!/bin/sh
# embed.sh SCHEMA [MIGRATION]...: print src/schema_sql.h, which holds the files
# as C strings. SCHEMA is version 1, each MIGRATION (NNN-what.sql, in order) one more.
set -eu

die() {
    echo "embed.sh: $*" >&2
    exit 1
}

# literal FILE: its lines as adjacent string literals.
literal() {
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/     "&\\n"/' "$1"
}

[ $# -ge 1 ] || die "no schema named"

for file in "$(dirname "$1")"/migrate/[0-9]*.sql; do
    [ -e "$file" ] || continue
    case " $* " in
    *" $file "*) ;;
    *) die "$file: add it to SQL_FILES in Makefile.am" ;;
    esac
done

echo "/* schema_sql.h: made by sql/embed.sh from sql/. Don't edit. */"
echo "static const struct bh_step schema[] = {"
version=1
for file in "$@"; do
    if [ $version -gt 1 ]; then
        number=$(printf %03d $version)
        case $file in
        */"$number"-*.sql) ;;
        *) die "$file: version $version must be called $number-what.sql" ;;
        esac
    fi
    grep -q "^PRAGMA user_version = $version;" "$file" ||
        die "$file: the line \"PRAGMA user_version = $version;\" is missing"
    echo "    {$version,"
    literal "$file"
    echo "    },"
    version=$((version + 1))
done
echo "};"
