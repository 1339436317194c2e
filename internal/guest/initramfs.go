// SPDX-License-Identifier: Apache-2.0

package guest

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/u-root/u-root/pkg/cpio"

	"github.com/sockade/sockade/internal/guest/job"
)

// Files are what an initramfs holds: by the path in the guest, the path here of
// a file or a directory.
type Files map[string]string

// writeInitramfs writes the archive that the kernel unpacks: the files, their
// directories, and the steps.
func writeInitramfs(w io.Writer, files Files, steps []job.Step) error {
	text, err := json.Marshal(steps)
	if err != nil {
		return err
	}
	records := []cpio.Record{cpio.StaticFile(strings.TrimPrefix(job.File, "/"), string(text), 0o444)}
	for _, target := range slices.Sorted(maps.Keys(files)) {
		err := filepath.WalkDir(files[target], func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() {
				return fmt.Errorf("%s: not a regular file", file)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			below, err := filepath.Rel(files[target], file)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(path.Join(target, filepath.ToSlash(below)), "/")
			records = append(records, cpio.StaticFile(name, string(content), uint64(info.Mode().Perm()|0o444)))
			return nil
		})
		if err != nil {
			return err
		}
	}
	archive := cpio.Newc.Writer(w)
	if err := cpio.WriteRecordsAndDirs(archive, records); err != nil {
		return err
	}
	return cpio.WriteTrailer(archive)
}
