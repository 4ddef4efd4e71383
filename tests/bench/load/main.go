// Command load sends recorded requests to a composition function and prints, as one line of JSON, how long its answers took.
//
//	load ADDRESS REQUESTS COUNT CONCURRENCY
//
// REQUESTS is a file of messages, each behind its length as four bytes, big-endian. They are sent in turn, as they are: the client
// neither encodes nor decodes, so that its core waits for the server and not the other way round.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const method = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction"

// raw passes messages through as bytes.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = slices.Clone(data); return nil }
func (raw) Name() string                       { return "raw" }

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(address, file, counted, concurrent string) error {
	requests, err := read(file)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(counted)
	if err != nil {
		return err
	}
	concurrency, err := strconv.Atoi(concurrent)
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		return err
	}
	defer connection.Close()

	took := make([]time.Duration, count)
	failed := make([]error, concurrency)
	var next atomic.Int64
	var workers sync.WaitGroup
	start := time.Now()
	for worker := range concurrency {
		workers.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= count || failed[worker] != nil {
					return
				}
				var answer []byte
				sent := time.Now()
				failed[worker] = connection.Invoke(context.Background(), method, &requests[n%len(requests)], &answer)
				took[n] = time.Since(sent)
			}
		})
	}
	workers.Wait()
	elapsed := time.Since(start)
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	slices.Sort(took)
	busy := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	return json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"p50_ms":     float64(took[count/2].Microseconds()) / 1000,
		"p99_ms":     float64(took[count*99/100].Microseconds()) / 1000,
		"per_second": float64(count) / elapsed.Seconds(),
		"client_cpu": busy.Seconds() / elapsed.Seconds(),
	})
}

func read(file string) ([][]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var messages [][]byte
	for len(data) > 0 {
		size := binary.BigEndian.Uint32(data)
		messages = append(messages, data[4:4+size])
		data = data[4+size:]
	}
	return messages, nil
}
