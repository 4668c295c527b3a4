"""The frames of mall.im.v1: shapes, encodings, close codes. Pure; docs/im-protocol.md is its prose."""
