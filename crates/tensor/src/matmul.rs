//! Matrix products `y = x Wᵀ + b`.
