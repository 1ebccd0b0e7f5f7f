// Package archtest holds the tree to its plan, docs/architecture.md: which room
// may enter which, and the habits that no linter knows. It has tests only.
package archtest
