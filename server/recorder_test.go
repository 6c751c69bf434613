package server

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// A method that nobody thought of would be missing in recordings.
func TestItIsKnownOfEveryMethodWhetherItChangesTheSwitch(t *testing.T) {
	known := map[string]bool{}
	protoregistry.GlobalFiles.RangeFilesByPackage("vasic.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			s := file.Services().Get(i)
			for j := range s.Methods().Len() {
				m := s.Methods().Get(j)
				name := "/" + string(s.FullName()) + "/" + string(m.Name())
				_, told := changing[name]
				if unary := !m.IsStreamingClient() && !m.IsStreamingServer(); told != (unary || m.Name() == "ModifyRoutes") {
					t.Errorf("%s: told %t", name, told)
				}
				known[name] = true
			}
		}
		return true
	})
	for _, table := range []map[string]bool{changing, waits} {
		for name := range table {
			if !known[name] || waits[name] && !changing[name] {
				t.Errorf("there is no changing method %s", name)
			}
		}
	}
}
