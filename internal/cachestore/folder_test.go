package cachestore

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A folder that is not quite the store's own keeps what others have there.
func TestDisk_LeavesForeignFilesAlone(t *testing.T) {
	dir := t.TempDir()
	foreign := []string{"a.tmp", "sub/b.tmp", "sub/c.fwc", "notes.fwc", "ab/d.tmp", "lost+found/ab/e.fwc"}
	for _, name := range foreign {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	disk(t, dir).Save(t.Context(), entryOf("k", "h/", 10))
	if disk(t, dir).Load(t.Context(), []byte("k")) == nil {
		t.Error("its own is gone")
	}
	for _, name := range foreign {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A file takes whole blocks of a disk, and memory for its place in the index.
func TestDisk_SmallFilesCountAsTheBlocksTheyTake(t *testing.T) {
	dir := t.TempDir()
	d := disk(t, dir) // of 1 MiB
	for i := range 2000 {
		d.Save(t.Context(), entryOf(fmt.Sprint(i), "h/", 10))
	}
	d.index.CleanUp()
	if n, _ := d.Size(); n > 256 {
		t.Errorf("%d files, which are %d KiB", n, n*4)
	}
}

func TestDisk_WhatCannotBeReplacedGoes(t *testing.T) {
	dir := t.TempDir()
	d := disk(t, dir)
	d.Save(t.Context(), entryOf("k", "h/", 10))
	folders, err := filepath.Glob(filepath.Join(dir, "??"))
	if err != nil || len(folders) != 1 {
		t.Fatal(folders, err)
	}
	moved := folders[0] + ".moved"
	if err := os.Rename(folders[0], moved); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folders[0], nil, 0o600); err != nil { // as when the disk is full
		t.Fatal(err)
	}
	d.Save(t.Context(), entryOf("k", "h/", 20))
	if err := os.Remove(folders[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(moved, folders[0]); err != nil {
		t.Fatal(err)
	}
	if e := d.Load(t.Context(), []byte("k")); e != nil {
		t.Errorf("the old one of %d bytes is back", len(e.Body))
	}
}
