// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/sockade/sockade/internal/guest/job"
	"github.com/sockade/sockade/internal/testutil"
)

func TestMain(m *testing.M) { os.Exit(testutil.RunTests(m)) }

func TestByVersion(t *testing.T) {
	names := []string{
		"linux-image-6.1.0-47-cloud-amd64", "linux-image-6.1.0-9-cloud-amd64", "linux-image-5.10.0-32-cloud-amd64",
		"linux-image-7.1.13+deb13-cloud-amd64", "linux-image-7.1.8+deb13-cloud-amd64",
	}
	slices.SortFunc(names, byVersion)
	if got := strings.Join(names, " "); got != "linux-image-5.10.0-32-cloud-amd64 linux-image-6.1.0-9-cloud-amd64 "+
		"linux-image-6.1.0-47-cloud-amd64 linux-image-7.1.8+deb13-cloud-amd64 linux-image-7.1.13+deb13-cloud-amd64" {
		t.Error(got)
	}
}

func TestInitramfs(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"init": 0o755, "testdata/a/b": 0o644} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	err := writeInitramfs(&b, Files{"/init": dir + "/init", "/src/testdata": dir + "/testdata"}, []job.Step{{Name: "s"}})
	if err != nil {
		t.Fatal(err)
	}
	archive := cpio.InMemArchive()
	records, err := cpio.ReadAllRecords(cpio.Newc.Reader(bytes.NewReader(b.Bytes())))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := archive.WriteRecord(r); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"init": "init", "src/testdata/a/b": "testdata/a/b", "steps.json": `"name":"s"`} {
		r, ok := archive.Files[name]
		if !ok {
			t.Errorf("%s is missing", name)
			continue
		}
		content, err := io.ReadAll(io.NewSectionReader(r, 0, int64(r.FileSize)))
		if err != nil || !strings.Contains(string(content), want) {
			t.Errorf("%s is %q, %v", name, content, err)
		}
	}
	if _, ok := archive.Files["src/testdata/a"]; !ok {
		t.Error("a directory is missing")
	}
	if mode := archive.Files["init"].Mode; mode&0o111 == 0 {
		t.Errorf("init has mode %o", mode)
	}
	if err := writeInitramfs(&b, Files{"/init": dir + "/nothing"}, nil); err == nil {
		t.Error("a file that is not there is no error")
	}
}

// TestBootFails: what does not run to the end is an error that shows the console.
func TestBootFails(t *testing.T) {
	program, missing, fix := QEMU("amd64")
	testutil.Need(t, program, missing, fix)
	steps := []job.Step{{Name: "never", Argv: []string{"/bin/true"}, Seconds: 1}}
	got := func(r job.Result) { t.Errorf("a result: %+v", r) }
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	if err := os.WriteFile(image, []byte("no kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Boot(t.Context(), Machine{Arch: "amd64", Kernel: image}, nil, steps, got); err == nil {
		t.Error("a file that is no kernel boots")
	}
	kernel := fetched(t)
	broken := filepath.Join(dir, "init")
	if err := os.WriteFile(broken, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := Boot(t.Context(), Machine{Arch: "amd64", Kernel: kernel}, Files{"/init": broken}, steps, got)
	if err == nil || !strings.Contains(err.Error(), "0 of 1 steps") || !strings.Contains(err.Error(), "panic") {
		t.Errorf("a guest that panics: %v", err)
	}
	err = Boot(t.Context(), Machine{Arch: "amd64", Kernel: kernel, Cmdline: "panic=0", Timeout: 15 * time.Second}, Files{"/init": broken}, steps, got)
	if err == nil || !strings.Contains(err.Error(), "still ran after 15s") || !strings.Contains(err.Error(), "Kernel panic") {
		t.Errorf("a guest that hangs: %v", err)
	}
}

// fetched returns a kernel, from the cache where there is one.
func fetched(t *testing.T) string {
	t.Helper()
	cache, err := CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := Kernels[1].Fetch(t.Context(), cache)
	missing := ""
	switch {
	case errors.Is(err, ErrMissing):
		missing = err.Error()
	case err != nil:
		t.Fatal(err)
	}
	testutil.Need(t, "kernel "+Kernels[1].String(), missing, "run it on a Debian with network")
	return kernel
}
