# Doxygen reads comments that begin with /** or /**<; the headers are written for people and begin theirs with /*.
# The opening comment of a header is laid out in columns and shown as it stands.
NR == 1 && /^\/\* pare\// {
    name = $2
    sub(/^\/\* [^ ]+ — /, "")
    whole = sub(/ *\*\/$/, "")
    print "/** @file " name
    print "@brief " $0
    print whole ? "*/" : "@verbatim"
    opening = !whole
    next
}
opening {
    last = sub(/ *\*\/$/, "")
    sub(/^ \* ?/, "")
    if (!last || NF) print
    if (last) { print "@endverbatim */"; opening = 0 }
    next
}
{ gsub(/<[a-z]+>/, "`&`") }
/^ *\/\* / { sub(/\/\* /, "/** ") }
/^ *[^ \/*].* \/\* / { sub(/\/\* /, "/**< ") }
{ print }
