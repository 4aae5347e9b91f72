# Writes mtcars (32 cars of 1973/74, measured by Motor Trend; it comes with R) as two CSV files, every third car for testing.
#   Rscript --vanilla scripts/export.R DIRECTORY
directory <- commandArgs(trailingOnly = TRUE)[[1]]
dir.create(directory, showWarnings = FALSE, recursive = TRUE)
cars <- with(mtcars, data.frame(
  mpg = mpg, weight = wt, horsepower = hp, cylinders = as.integer(cyl),
  transmission = ifelse(am == 1, "manual", "automatic")
))
held_out <- seq_len(nrow(cars)) %% 3 == 0
write.csv(cars[!held_out, ], file.path(directory, "train.csv"), row.names = FALSE, quote = FALSE)
write.csv(cars[held_out, ], file.path(directory, "test.csv"), row.names = FALSE, quote = FALSE)
