//! scratch
fn main() {
    let out = std::env::args().nth(1).unwrap();
    for path in std::env::args().skip(2) {
        match formwork_compiler::load(std::path::Path::new(&path), &Default::default()) {
            Ok(c) => {
                let g = formwork_codegen::generate(&c.model);
                let name = formwork_codegen::crate_name(&c.model.name);
                let o = formwork_codegen::CrateOptions { name: name.clone(), spec: path.clone(), runtime: formwork_codegen::Runtime::Path(std::env::var("FW_RUNTIME").unwrap()), standalone: false, member: false };
                for (f, t) in g.files(&o) {
                    let p = format!("{out}/{name}/{f}");
                    std::fs::create_dir_all(std::path::Path::new(&p).parent().unwrap()).unwrap();
                    std::fs::write(&p, t).unwrap();
                }
                println!("{name}");
            }
            Err(f) => println!("{path}:\n{}", formwork_diag::render_all(&f.diagnostics, &f.sources, false)),
        }
    }
}
