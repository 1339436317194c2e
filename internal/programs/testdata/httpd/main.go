// SPDX-License-Identifier: Apache-2.0

// Command httpd serves "hello" on 127.0.0.1:PORT, or fetches it with "get".
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	addr := "127.0.0.1:" + os.Args[2]
	var err error
	if os.Args[1] == "get" {
		var r *http.Response
		if r, err = http.Get("http://" + addr + "/"); err == nil {
			_, err = io.Copy(os.Stdout, r.Body)
		}
	} else {
		http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
		err = http.ListenAndServe(addr, nil)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
