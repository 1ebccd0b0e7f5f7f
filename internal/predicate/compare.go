package predicate

import "cmp"

func isComparison(t token) bool {
	if t.kind != tokenSign {
		return false
	}
	switch t.text {
	case "<", "<=", ">", ">=", "==", "!=":
		return true
	}
	return false
}

// comparison makes a truth of two values of one type.
func comparison[T any](a, b value[T], sign token) (func(T) bool, *Error) {
	switch {
	case a.fixed && b.fixed:
		return nil, errorAt(a.offset, "%s and %s are always the same; one of them should be a function", a.text, b.text)
	case a.truth != nil:
		return nil, errorAt(sign.offset, "%s is true or false by itself, and is not compared", a.text)
	case b.truth != nil:
		return nil, errorAt(sign.offset, "%s is true or false by itself, and is not compared", b.text)
	case a.kind() != b.kind():
		return nil, errorAt(b.offset, "%s is %s, and %s is %s", a.text, a.kind(), b.text, b.kind())
	case a.number != nil:
		return compare(a.number, b.number, sign.text), nil
	case sign.text == "==" || sign.text == "!=":
		return compare(a.string, b.string, sign.text), nil
	}
	return nil, errorAt(sign.offset, "texts are compared by == or !=, not by %s", sign.text)
}

func compare[T any, V cmp.Ordered](a, b func(T) V, sign string) func(T) bool {
	switch sign {
	case "<":
		return func(t T) bool { return a(t) < b(t) }
	case "<=":
		return func(t T) bool { return a(t) <= b(t) }
	case ">":
		return func(t T) bool { return a(t) > b(t) }
	case ">=":
		return func(t T) bool { return a(t) >= b(t) }
	case "==":
		return func(t T) bool { return a(t) == b(t) }
	}
	return func(t T) bool { return a(t) != b(t) }
}
