def test_x(builder):
    r=builder().workspace(); r.story(); r.commit("Add")
    for c in (("index",),("list","models"),("list","datasets"),("show","forest@v1"),("lineage","forest"),("lineage","forest","--format","json")):
        x=r.strata(*c); print(c, x.code); print(x.out); print(x.err)
    assert 0
