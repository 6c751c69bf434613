package main

import (
	"fmt"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// decoder writes the method DecodeWire.
//
// What hangs on the message is found again in two ways: elements of lists behind their end, and whatever else is a pointer in a
// variable of the name that the field has in JSON.
func decoder(g *protogen.GeneratedFile, m *protogen.Message) error {
	g.P()
	g.P("// DecodeWire makes m what b encodes. Strings and bytes of m are parts of b, and what hung on m is used again.")
	g.P("func (m *", m.GoIdent, ") DecodeWire(b []byte) error {")
	for _, f := range m.Fields {
		empty(g, f)
	}
	g.P("m.unknownFields = nil")
	g.P("for i := 0; i < len(b); {")
	g.P("start := i")
	g.P("tag := uint64(b[i])")
	g.P("if i++; tag >= 0x80 {")
	g.P("if tag, i = ", wire.Ident("Uint"), "(b, start); i < 0 {")
	g.P("return ", wire.Ident("Unmarshal"), "(b, m)")
	g.P("}")
	g.P("}")
	g.P("switch tag {")
	for _, f := range m.Fields {
		if err := field(g, f); err != nil {
			return err
		}
	}
	g.P("default:")
	g.P("if m.unknownFields, i = ", wire.Ident("AppendUnknown"), "(m.unknownFields, b, start); i < 0 {")
	g.P("return ", wire.Ident("Unmarshal"), "(b, m)")
	g.P("}")
	g.P("}")
	g.P("}")
	g.P("return nil")
	g.P("}")
	return nil
}

// isSpare says whether the value of f is a pointer that is kept while the message is empty.
func isSpare(f *protogen.Field) bool {
	return !f.Desc.IsList() && (f.Message != nil || f.Desc.HasPresence() && f.Desc.Kind() != protoreflect.BytesKind)
}

// spare is the variable for such a pointer.
func spare(f *protogen.Field) string { return f.Desc.JSONName() }

// empty empties a field.
func empty(g *protogen.GeneratedFile, f *protogen.Field) {
	name := "m." + f.GoName
	switch {
	case f.Desc.IsList():
		g.P(name, " = ", name, "[:0]")
	case isSpare(f):
		g.P(spare(f), " := ", name)
		g.P(name, " = nil")
	case f.Desc.Kind() == protoreflect.StringKind:
		g.P(name, ` = ""`)
	case f.Desc.Kind() == protoreflect.BoolKind:
		g.P(name, " = false")
	case f.Desc.Kind() == protoreflect.BytesKind:
		g.P(name, " = nil")
	default:
		g.P(name, " = 0")
	}
}

// field decodes a field.
func field(g *protogen.GeneratedFile, f *protogen.Field) error {
	if f.Desc.IsMap() || f.Oneof != nil && !f.Oneof.Desc.IsSynthetic() {
		return fmt.Errorf("%s: maps and oneofs cannot be decoded yet", f.Desc.FullName())
	}
	k := f.Desc.Kind()
	read, kind, value := "Uint", protowire.VarintType, "uint64"
	switch k {
	case protoreflect.DoubleKind:
		read, kind = "Fixed64", protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		read, kind, value = "Bytes", protowire.BytesType, "[]byte"
	case protoreflect.BoolKind, protoreflect.EnumKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
	default:
		return fmt.Errorf("%s: fields of kind %v cannot be decoded yet", f.Desc.FullName(), k)
	}
	if f.Desc.IsList() && kind != protowire.BytesType {
		if kind != protowire.VarintType {
			return fmt.Errorf("%s: lists of kind %v cannot be decoded yet", f.Desc.FullName(), k)
		}
		head(g, f, protowire.BytesType)
		g.P("var list []byte")
		next(g, "list", "Bytes", "b", "i")
		g.P("for j := 0; j < len(list); {")
		g.P("var v uint64")
		next(g, "v", "Uint", "list", "j")
		g.P("m.", f.GoName, " = append(m.", f.GoName, ", ", converted(g, f), ")")
		g.P("}")
	}
	head(g, f, kind)
	g.P("var v ", value)
	next(g, "v", read, "b", "i")
	switch {
	case f.Message != nil:
		message(g, f)
	case k == protoreflect.StringKind:
		g.P("s := ", wire.Ident("Text"), "(v)")
		g.P("if !", wire.Ident("ValidText"), "(s) {")
		g.P("return ", wire.Ident("InvalidText"), `("`, f.Desc.FullName(), `")`)
		g.P("}")
		store(g, f, "s")
	default:
		store(g, f, converted(g, f))
	}
	return nil
}

// head begins the case of a field of that kind on the wire.
func head(g *protogen.GeneratedFile, f *protogen.Field, kind protowire.Type) {
	g.P("case ", protowire.EncodeTag(f.Desc.Number(), kind), ": // ", f.Desc.Name())
}

// next reads a value from b at i. Numbers of one byte, which most are, need no call.
func next(g *protogen.GeneratedFile, to, read, b, i string) {
	long := fmt.Sprint(to, ", ", i, " = ", g.QualifiedGoIdent(wire.Ident(read)), "(", b, ", ", i, "); ", i, " < 0 {")
	if read == "Uint" {
		g.P("if ", i, " < len(", b, ") && ", b, "[", i, "] < 0x80 {")
		g.P(to, " = uint64(", b, "[", i, "])")
		g.P(i, "++")
		g.P("} else if ", long)
	} else {
		g.P("if ", long)
	}
	g.P("return ", wire.Ident("Unmarshal"), "(b, m)")
	g.P("}")
}

// store stores a value that is no message.
func store(g *protogen.GeneratedFile, f *protogen.Field, value string) {
	name := "m." + f.GoName
	switch {
	case f.Desc.IsList():
		g.P(name, " = append(", name, ", ", value, ")")
	case isSpare(f):
		g.P("if ", name, " == nil {")
		g.P("if ", name, " = ", spare(f), "; ", name, " == nil {")
		g.P(name, " = new(", typeOf(g, f), ")")
		g.P("}")
		g.P("}")
		g.P("*", name, " = ", value)
	default:
		g.P(name, " = ", value)
	}
}

// message decodes v as a message. One that comes in several pieces, which are to be merged, is rare.
func message(g *protogen.GeneratedFile, f *protogen.Field) {
	name := "m." + f.GoName
	if f.Desc.IsList() {
		g.P("n := len(", name, ")")
		g.P("if n < cap(", name, ") {")
		g.P(name, " = ", name, "[:n+1]")
		g.P("} else {")
		g.P(name, " = append(", name, ", nil)")
		g.P("}")
		name += "[n]"
		g.P("if ", name, " == nil {")
	} else {
		g.P("if ", name, " != nil {")
		g.P("return ", wire.Ident("Unmarshal"), "(b, m)")
		g.P("}")
		g.P("if ", name, " = ", spare(f), "; ", name, " == nil {")
	}
	g.P(name, " = new(", g.QualifiedGoIdent(f.Message.GoIdent), ")")
	g.P("}")
	g.P("if err := ", name, ".DecodeWire(v); err != nil {")
	g.P("return err")
	g.P("}")
}

// converted is the variable v as a value of the field.
func converted(g *protogen.GeneratedFile, f *protogen.Field) string {
	switch f.Desc.Kind() {
	case protoreflect.BytesKind, protoreflect.Uint64Kind:
		return "v"
	case protoreflect.BoolKind:
		return "v != 0"
	case protoreflect.DoubleKind:
		return g.QualifiedGoIdent(protogen.GoImportPath("math").Ident("Float64frombits")) + "(v)"
	}
	return typeOf(g, f) + "(v)"
}

// typeOf is the type of a field's value.
func typeOf(g *protogen.GeneratedFile, f *protogen.Field) string {
	switch f.Desc.Kind() {
	case protoreflect.EnumKind:
		return g.QualifiedGoIdent(f.Enum.GoIdent)
	case protoreflect.DoubleKind:
		return "float64"
	}
	return f.Desc.Kind().String()
}
