// SPDX-License-Identifier: Apache-2.0

package loader

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go@v0.22.0 -go-package loader -output-stem sockade -target bpfel,bpfeb -tags linux -type denial -type policy sockade bpf/sockade.bpf.c -- -O2 -Wall -Werror -mcpu=v2
