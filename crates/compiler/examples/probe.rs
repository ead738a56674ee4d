//! scratch
fn main() {
    for path in std::env::args().skip(1) {
        let t = std::time::Instant::now();
        match formwork_compiler::load(std::path::Path::new(&path), &Default::default()) {
            Ok(c) => {
                let n: i128 = formwork_ir::parameters(&c.model).iter().filter(|p| p.shared.is_none() && p.role == formwork_ops::Role::Param).map(|p| p.numel().constant().unwrap() * p.copies() as i128).sum();
                println!("{path}: ok {} {} params {n} in {:?}", c.model.name, c.model.task, t.elapsed());
            }
            Err(f) => println!("{path}:\n{}", formwork_diag::render_all(&f.diagnostics, &f.sources, false)),
        }
    }
}
